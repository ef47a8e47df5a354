#include "unitscope/lasso.h"

#include <cmath>

#include "cone.cuh"
#include "kernels.cuh"

namespace us::cuda {
namespace {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kSweepsOfRound = 10;
constexpr int kMostKinks = 16;

/// What a kernel is given, and scratch.
struct Call {
  us_lasso_params params;
  const float* x;
  const float* y;
  const float* scale;
  const std::int32_t* offsets;
  const std::int32_t* member;
  const double* lambda;
  double* coefficients;
  double* intercept;
  std::int32_t* sweeps;
  double* gap;
  double* wrong = nullptr;     // how many offsets are wrong
  double* residual = nullptr;  // [members]
  double* mean = nullptr;      // [problems, features], of the features, not scaled
  double* square = nullptr;    // [problems, features]: |f|^2
  double* product = nullptr;   // [problems, features]: <f, r>
  double* step = nullptr;      // [problems, features]: of a sweep
  double* fit_step = nullptr;  // [members]: what it adds to the fit
  float* columns = nullptr;    // [features, rows]
};

__device__ bool is_finite(double value) { return value - value == 0; }

/// The sum over a warp of one value per lane, the same bits in every lane, by a tree of fixed shape.
__device__ double warp_sum(double value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}

__device__ double warp_least(double value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const double other = __shfl_xor_sync(kAllLanes, value, offset);
    value = other < value ? other : value;
  }
  return value;
}

/// A thread per element, so that a warp's members are read from one column.
__global__ void transpose_kernel(Call call) {
  const std::int64_t count = call.params.rows * call.params.features;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    const std::int64_t d = i / call.params.rows;
    call.columns[i] = __ldg(call.x + (i - d * call.params.rows) * call.params.features + d);
  }
}

/// One block. Problems write to scratch at their offsets, so one that is wrong could harm them all.
__global__ void check_kernel(Call call) {
  double wrong = 0;
  for (std::int64_t b = threadIdx.x; b < call.params.problems; b += kThreads) {
    const bool begins = b > 0 || call.offsets[0] == 0;
    const bool ends = b + 1 < call.params.problems || call.offsets[b + 1] == call.params.members;
    if (!begins || !ends || call.offsets[b + 1] <= call.offsets[b]) wrong += 1;
  }
  wrong = block_sum(wrong);
  if (threadIdx.x == 0) *call.wrong = wrong;
}

/// One problem and the warp that solves it. Values that decide are the same in every lane, so the lanes stay together;
/// a lane has every 32nd member, whose residual no other touches. What lane 0 writes for all is read after a barrier.
class Solver {
 public:
  __device__ Solver(const Call& call, std::int64_t problem, int lane)
      : call_(call),
        lane_(lane),
        features_(call.params.features),
        first_(call.offsets[problem]),
        members_(call.offsets[problem + 1] - call.offsets[problem]),
        scale_(call.scale + problem * features_),
        alpha_(call.coefficients + problem * features_),
        mean_(call.mean + problem * features_),
        square_(call.square + problem * features_),
        product_(call.product + problem * features_),
        step_(call.step + problem * features_),
        residual_(call.residual + first_),
        fit_step_(call.fit_step + first_),
        limit_(call.lambda[problem] * static_cast<double>(members_) / 2) {}

  /// False where a member is out of range, or a number is not finite or makes none that is.
  __device__ bool prepare() {
    double wrong = limit_ >= 0 && is_finite(limit_) ? 0 : 1;
    for (std::int64_t i = lane_; i < members_; i += kWarp) {
      const std::int32_t row = call_.member[first_ + i];
      if (row < 0 || row >= call_.params.rows) wrong += 1;
    }
    if (warp_sum(wrong) > 0) return false;
    const auto count = static_cast<double>(members_);
    double sum = 0;
    for (std::int64_t i = lane_; i < members_; i += kWarp) sum += static_cast<double>(__ldg(call_.y + row_of(i)));
    mean_response_ = warp_sum(sum) / count;
    sum = 0;
    for (std::int64_t i = lane_; i < members_; i += kWarp) sum += response(i) * response(i);
    variation_ = warp_sum(sum);
    bool finite = is_finite(variation_);
    for (std::int64_t d = 0; d < features_; ++d) {
      const float* const column = call_.columns + d * call_.params.rows;
      double part = 0;
      for (std::int64_t i = lane_; i < members_; i += kWarp) part += static_cast<double>(column[row_of(i)]);
      const double mean = warp_sum(part) / count;
      part = 0;
      for (std::int64_t i = lane_; i < members_; i += kWarp) {
        const double value = feature(d, i, mean);
        part += value * value;
      }
      const double square = warp_sum(part);
      finite = finite && is_finite(square) && is_finite(alpha_[d]);
      __syncwarp();
      if (lane_ == 0) {
        mean_[d] = mean;
        square_[d] = square;
        // The intercept does all that such a feature could do.
        if (square == 0 || variation_ == 0) alpha_[d] = 0;
      }
    }
    __syncwarp();
    return finite;
  }

  /// From the start in alpha to the end; returns the gap.
  __device__ double descend(std::int32_t& sweeps) {
    if (variation_ == 0) return 0;
    while (true) {
      find_residual();
      const double gap = find_gap();
      if (!(gap > call_.params.tolerance) || sweeps == call_.params.max_sweeps) return gap;
      bool changed = false;
      for (int i = 0; i < kSweepsOfRound && sweeps < call_.params.max_sweeps; ++i) {
        const bool is_last = i == kSweepsOfRound - 1;
        if (is_last) remember();
        const bool changes = sweep(i == 0);
        ++sweeps;
        changed = changed || changes;
        if (!changes) break;
        if (is_last) go_on();
      }
      if (!changed) return gap;
    }
  }

  __device__ double best_intercept() const {
    double part = 0;
    for (std::int64_t d = lane_; d < features_; d += kWarp) {
      part += alpha_[d] * (static_cast<double>(scale_[d]) * mean_[d]);
    }
    return mean_response_ - warp_sum(part);
  }

 private:
  __device__ std::int64_t row_of(std::int64_t i) const { return call_.member[first_ + i]; }
  __device__ double response(std::int64_t i) const {
    return static_cast<double>(__ldg(call_.y + row_of(i))) - mean_response_;
  }
  __device__ double feature(std::int64_t d, std::int64_t i, double mean) const {
    const float value = call_.columns[d * call_.params.rows + row_of(i)];
    return static_cast<double>(scale_[d]) * (static_cast<double>(value) - mean);
  }

  __device__ double product_with_residual(std::int64_t d) const {
    const double mean = mean_[d];
    double part = 0;
    for (std::int64_t i = lane_; i < members_; i += kWarp) part += feature(d, i, mean) * residual_[i];
    return warp_sum(part);
  }

  __device__ void subtract(std::int64_t d, double factor) {
    const double mean = mean_[d];
    for (std::int64_t i = lane_; i < members_; i += kWarp) residual_[i] -= factor * feature(d, i, mean);
  }

  __device__ void find_residual() {
    for (std::int64_t i = lane_; i < members_; i += kWarp) residual_[i] = response(i);
    for (std::int64_t d = 0; d < features_; ++d) {
      if (alpha_[d] != 0) subtract(d, alpha_[d]);
    }
  }

  __device__ double find_gap() {
    double largest = 0;
    double correlation = 0;
    double size = 0;
    for (std::int64_t d = 0; d < features_; ++d) {
      const double square = square_[d];
      if (square == 0) continue;
      const double product = product_with_residual(d);
      if (lane_ == 0) product_[d] = product;
      const double magnitude = fabs(product);
      largest = magnitude > largest ? magnitude : largest;
      const double squared = magnitude / square * magnitude;
      correlation = squared > correlation ? squared : correlation;
      size += fabs(alpha_[d]);
    }
    __syncwarp();
    double left = 0;
    double common = 0;
    for (std::int64_t i = lane_; i < members_; i += kWarp) {
      left += residual_[i] * residual_[i];
      common += response(i) * residual_[i];
    }
    left = warp_sum(left);
    common = warp_sum(common);
    if (!is_finite(left)) return NAN;
    if (limit_ == 0) return sqrt(correlation / variation_);
    double factor = left > 0 ? common / left : 0;
    const double most = largest > 0 ? limit_ / largest : fabs(factor);
    if (fabs(factor) > most) factor = factor < 0 ? -most : most;
    const double dual = factor * (2 * common - factor * left);
    const double gap = (left + 2 * limit_ * size - dual) / variation_;
    return gap < 0 ? 0 : gap;
  }

  /// Takes every active coefficient to its optimum, in their order; whether any changed. After the first sweep of a round
  /// only those that are not 0 are active.
  __device__ bool sweep(bool first) {
    bool changed = false;
    for (std::int64_t d = 0; d < features_; ++d) {
      const double square = square_[d];
      const double old = alpha_[d];
      if (square == 0 || (old == 0 && !(first && fabs(product_[d]) > limit_))) continue;
      const double target = product_with_residual(d) + square * old;
      const double beyond = fabs(target) - limit_;
      const double now = beyond > 0 ? (target < 0 ? -beyond : beyond) / square : 0;
      if (now == old) continue;
      subtract(d, now - old);
      if (lane_ == 0) alpha_[d] = now;
      changed = true;
    }
    __syncwarp();
    return changed;
  }

  // A lane has every 32nd feature here.
  __device__ void remember() {
    for (std::int64_t d = lane_; d < features_; d += kWarp) step_[d] = alpha_[d];
    for (std::int64_t i = lane_; i < members_; i += kWarp) fit_step_[i] = residual_[i];
  }

  /// From alpha on in the direction of the sweep since `remember`, to the minimum of the objective along it. Between the
  /// kinks where a coefficient is 0 the objective is a parabola; half its slope at t is
  ///   t |F step|^2 - <F step, r> + lambda n / 2 sum_d sign(alpha_d + t step_d) step_d
  __device__ void go_on() {
    double pull = 0;  // of the penalty
    for (std::int64_t d = lane_; d < features_; d += kWarp) {
      step_[d] = alpha_[d] - step_[d];
      const bool grows = alpha_[d] == 0 || (alpha_[d] > 0) == (step_[d] > 0);
      pull += grows ? fabs(step_[d]) : -fabs(step_[d]);
    }
    pull = warp_sum(pull);
    double curvature = 0;
    double descent = 0;
    for (std::int64_t i = lane_; i < members_; i += kWarp) {
      fit_step_[i] -= residual_[i];
      curvature += fit_step_[i] * fit_step_[i];
      descent += fit_step_[i] * residual_[i];
    }
    curvature = warp_sum(curvature);
    descent = warp_sum(descent);
    constexpr double kFar = 1e300;
    double t = 0;
    for (int kink = 0; kink < kMostKinks; ++kink) {
      const double force = descent - limit_ * pull;
      if (force <= t * curvature) break;
      double next = kFar;
      for (std::int64_t d = lane_; d < features_; d += kWarp) {
        const double at = kink_of(d);
        if (at > t && at < next) next = at;
      }
      next = warp_least(next);
      double turn = 0;
      for (std::int64_t d = lane_; d < features_; d += kWarp) {
        if (kink_of(d) == next) turn += 2 * fabs(step_[d]);
      }
      const double bottom = curvature > 0 ? force / curvature : kFar;
      t = bottom < next ? bottom : next;
      if (bottom <= next) break;
      pull += warp_sum(turn);
    }
    if (t == 0 || t >= kFar) return;
    const double before = objective();
    for (std::int64_t d = lane_; d < features_; d += kWarp) {
      const double old = alpha_[d];
      product_[d] = old;  // which has no product to hold until the next round
      alpha_[d] = kink_of(d) == t ? 0 : old + t * step_[d];
    }
    __syncwarp();
    find_residual();
    // Of a step that is as small as rounding, the direction is anything.
    const bool is_lower = objective() < before;
    if (is_lower) return;
    for (std::int64_t d = lane_; d < features_; d += kWarp) alpha_[d] = product_[d];
    __syncwarp();
  }

  /// n times the objective.
  __device__ double objective() const {
    double size = 0;
    for (std::int64_t d = lane_; d < features_; d += kWarp) size += fabs(alpha_[d]);
    double left = 0;
    for (std::int64_t i = lane_; i < members_; i += kWarp) left += residual_[i] * residual_[i];
    return warp_sum(left) + 2 * limit_ * warp_sum(size);
  }

  /// The t > 0 where the coefficient passes 0; 0 where it does not.
  __device__ double kink_of(std::int64_t d) const {
    const bool passes = step_[d] != 0 && alpha_[d] != 0 && (alpha_[d] > 0) != (step_[d] > 0);
    return passes ? -alpha_[d] / step_[d] : 0;
  }

  const Call& call_;
  int lane_;
  std::int64_t features_;
  std::int64_t first_;
  std::int64_t members_;
  const float* scale_;
  double* alpha_;
  double* mean_;
  double* square_;
  double* product_;
  double* step_;
  double* residual_;
  double* fit_step_;
  double limit_;              // lambda n / 2
  double variation_ = 0;      // |y - mean|^2
  double mean_response_ = 0;
};

/// A warp per problem.
__global__ void lasso_kernel(Call call) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t warps = static_cast<std::int64_t>(gridDim.x) * (kThreads / kWarp);
  const bool right = *call.wrong == 0;
  std::int64_t problem = static_cast<std::int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
  for (; problem < call.params.problems; problem += warps) {
    std::int32_t sweeps = 0;
    double gap = NAN;
    double intercept = NAN;
    if (right) {
      Solver solver(call, problem, lane);
      if (solver.prepare()) gap = solver.descend(sweeps);
      if (is_finite(gap)) intercept = solver.best_intercept();
    }
    if (!is_finite(gap)) {
      gap = NAN;
      sweeps = 0;
      __syncwarp();
      double* const alpha = call.coefficients + problem * call.params.features;
      for (std::int64_t d = lane; d < call.params.features; d += kWarp) alpha[d] = NAN;
    }
    if (lane != 0) continue;
    call.intercept[problem] = intercept;
    call.sweeps[problem] = sweeps;
    call.gap[problem] = gap;
  }
}

}  // namespace

us_status lasso(const us_execution* execution, const us_lasso_params* params, const float* x, const float* y,
                const float* scale, const int32_t* offsets, const int32_t* member, const double* lambda,
                double* coefficients, double* intercept, int32_t* sweeps, double* gap) {
  if (params->problems == 0) return US_OK;
  const std::int64_t each = params->problems * params->features;
  const std::int64_t elements = params->rows * params->features;
  const Scratch scratch(execution, 1 + 2 * params->members + 4 * each + (elements + 1) / 2);
  if (scratch.status() != US_OK) return scratch.status();
  double* next = scratch.get();
  const auto take = [&next](std::int64_t count) {
    double* const taken = next;
    next += count;
    return taken;
  };
  Call call{*params, x, y, scale, offsets, member, lambda, coefficients, intercept, sweeps, gap};
  call.wrong = take(1);
  call.residual = take(params->members);
  call.fit_step = take(params->members);
  call.mean = take(each);
  call.square = take(each);
  call.product = take(each);
  call.step = take(each);
  call.columns = reinterpret_cast<float*>(next);
  const cudaStream_t stream = stream_of(execution);
  launch(check_kernel, 1, kThreads, 0, stream, call);
  if (elements > 0) launch(transpose_kernel, block_count(elements), kThreads, 0, stream, call);
  launch(lasso_kernel, block_count(params->problems * kWarp), kThreads, 0, stream, call);
  return launched("lasso");
}

}  // namespace us::cuda
