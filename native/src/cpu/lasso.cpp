#include "unitscope/lasso.h"

#include "cpu/double_rows.hpp"
#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

constexpr std::int64_t kSweepsOfRound = 10;
constexpr int kMostKinks = 16;
constexpr double kNan = __builtin_nan("");

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
  std::int64_t largest;  // members of the largest problem
  std::int64_t* next;    // the first problem that no one has taken
};

inline std::int64_t whole_rows(std::int64_t count) { return (count + kRow - 1) / kRow * kRow; }
inline bool is_finite(double value) { return value - value == 0; }
inline double magnitude(double value) { return __builtin_fabs(value); }

/// The sum over all lanes, by a tree.
inline double total_of(const Row& row) {
  double lanes[kRow];
  store_row(lanes, row);
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/// Of `count` elements, a multiple of kRow.
inline double dot(const double* a, const double* b, std::int64_t count) {
  Row sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * kRow <= count; i += 4 * kRow) {
    for (std::int64_t k = 0; k < 4; ++k) sums[k] = sums[k] + load_row(a + i + k * kRow) * load_row(b + i + k * kRow);
  }
  for (; i < count; i += kRow) sums[0] = sums[0] + load_row(a + i) * load_row(b + i);
  return total_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/// to -= factor * column
inline void subtract(double* to, const double* column, double factor, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kRow) store_row(to + i, load_row(to + i) + load_row(column + i) * -factor);
}

/// As `subtract`, and the product of what comes out with `next`: the residual is read once for both.
inline double subtract_and_dot(double* to, const double* column, double factor, const double* next,
                               std::int64_t count) {
  Row sums[2] = {};
  std::int64_t i = 0;
  const auto take = [&](std::int64_t k) {
    const std::int64_t at = i + k * kRow;
    const Row left = load_row(to + at) + load_row(column + at) * -factor;
    store_row(to + at, left);
    sums[k] = sums[k] + left * load_row(next + at);
  };
  for (; i + 2 * kRow <= count; i += 2 * kRow) {
    take(0);
    take(1);
  }
  if (i < count) take(0);
  return total_of(sums[0] + sums[1]);
}

/// A worker takes one problem after the other from those that are left, since no one knows how long each will take.
class Worker {
 public:
  explicit Worker(const Call& call) : call_(call), features_(call.params.features) {}

  void layout(Arena& arena) {
    const std::int64_t longest = whole_rows(call_.largest);
    columns_ = arena.take<double>(features_ * longest);
    response_ = arena.take<double>(longest);
    residual_ = arena.take<double>(longest);
    mean_ = arena.take<double>(features_);
    square_ = arena.take<double>(features_);
    product_ = arena.take<double>(features_);
    step_ = arena.take<double>(features_);
    fit_step_ = arena.take<double>(longest);
    active_ = arena.take<std::int32_t>(features_);
  }

  us_status run(std::int64_t /*begin*/, std::int64_t /*end*/) {
    while (true) {
      const std::int64_t problem = __atomic_fetch_add(call_.next, 1, __ATOMIC_RELAXED);
      if (problem >= call_.params.problems) return US_OK;
      solve(problem);
    }
  }

 private:
  void solve(std::int64_t problem) {
    first_ = call_.offsets[problem];
    members_ = call_.offsets[problem + 1] - first_;
    length_ = whole_rows(members_);
    alpha_ = call_.coefficients + problem * features_;
    limit_ = call_.lambda[problem] * static_cast<double>(members_) / 2;
    const float* const scale = call_.scale + problem * features_;
    find_means();
    gather(scale);
    std::int32_t sweeps = 0;
    double gap = prepare() ? descend(sweeps) : kNan;
    if (!is_finite(gap)) {
      gap = kNan;
      sweeps = 0;
      for (std::int64_t d = 0; d < features_; ++d) alpha_[d] = kNan;
    }
    double intercept = mean_response_;
    for (std::int64_t d = 0; d < features_; ++d) intercept -= alpha_[d] * (static_cast<double>(scale[d]) * mean_[d]);
    call_.intercept[problem] = gap == gap ? intercept : kNan;
    call_.sweeps[problem] = sweeps;
    call_.gap[problem] = gap;
  }

  const float* row_of(std::int64_t member) const { return call_.x + call_.member[first_ + member] * features_; }
  const double* column(std::int64_t d) const { return columns_ + d * length_; }

  void find_means() {
    const auto count = static_cast<double>(members_);
    mean_response_ = 0;
    for (std::int64_t d = 0; d < features_; ++d) mean_[d] = 0;
    for (std::int64_t i = 0; i < members_; ++i) {
      const float* const row = row_of(i);
      for (std::int64_t d = 0; d < features_; ++d) mean_[d] += static_cast<double>(row[d]);
      mean_response_ += static_cast<double>(call_.y[call_.member[first_ + i]]);
    }
    for (std::int64_t d = 0; d < features_; ++d) mean_[d] /= count;
    mean_response_ /= count;
  }

  /// Writes each feature's column, scaled and less its mean, which a pad of zeros does not change; and the response.
  void gather(const float* scale) {
    for (std::int64_t i = 0; i < length_; i += kRow) {
      const std::int64_t there = members_ - i < kRow ? members_ - i : kRow;
      const float* rows[kRow];
      for (std::int64_t k = 0; k < there; ++k) rows[k] = row_of(i + k);
      for (std::int64_t d = 0; d < features_; ++d) {
        double* const to = columns_ + d * length_ + i;
        const auto factor = static_cast<double>(scale[d]);
        for (std::int64_t k = 0; k < there; ++k) to[k] = factor * (static_cast<double>(rows[k][d]) - mean_[d]);
        for (std::int64_t k = there; k < kRow; ++k) to[k] = 0;
      }
      for (std::int64_t k = 0; k < kRow; ++k) {
        const bool is_member = k < there;
        response_[i + k] =
            is_member ? static_cast<double>(call_.y[call_.member[first_ + i + k]]) - mean_response_ : 0.0;
      }
    }
  }

  /// What the descent needs of the columns; false where a number is not finite.
  bool prepare() {
    variation_ = dot(response_, response_, length_);
    bool finite = is_finite(variation_) && is_finite(limit_);
    for (std::int64_t d = 0; d < features_; ++d) {
      square_[d] = dot(column(d), column(d), length_);
      finite = finite && is_finite(square_[d]) && is_finite(alpha_[d]);
      // The intercept does all that such a feature could do.
      if (square_[d] == 0) alpha_[d] = 0;
    }
    return finite;
  }

  /// From the start in alpha to the end; returns the gap.
  double descend(std::int32_t& sweeps) {
    if (variation_ == 0) {
      for (std::int64_t d = 0; d < features_; ++d) alpha_[d] = 0;
      return 0;
    }
    while (true) {
      find_residual();
      const double gap = find_gap();
      if (!(gap > call_.params.tolerance) || sweeps == call_.params.max_sweeps) return gap;
      const std::int64_t before = changes_;
      for (std::int64_t i = 0; i < kSweepsOfRound && sweeps < call_.params.max_sweeps; ++i) {
        const std::int64_t last = changes_;
        const bool is_last = i == kSweepsOfRound - 1;
        if (is_last) remember();
        sweep();
        ++sweeps;
        if (changes_ == last) break;
        if (is_last) go_on();
      }
      if (changes_ == before) return gap;
    }
  }

  /// From scratch, so that the gap does not inherit the rounding of thousands of steps.
  void find_residual() {
    for (std::int64_t i = 0; i < length_; ++i) residual_[i] = response_[i];
    for (std::int64_t d = 0; d < features_; ++d) {
      if (alpha_[d] != 0) subtract(residual_, column(d), alpha_[d], length_);
    }
  }

  /// Products of the residual with all columns, four at a time so that it is read less often.
  void find_products() {
    std::int64_t d = 0;
    for (; d + 4 <= features_; d += 4) {
      const double* const from = column(d);
      Row sums[4] = {};
      for (std::int64_t i = 0; i < length_; i += kRow) {
        const Row left = load_row(residual_ + i);
        for (std::int64_t k = 0; k < 4; ++k) sums[k] = sums[k] + left * load_row(from + k * length_ + i);
      }
      for (std::int64_t k = 0; k < 4; ++k) product_[d + k] = total_of(sums[k]);
    }
    for (; d < features_; ++d) product_[d] = dot(column(d), residual_, length_);
  }

  /// The gap, and which features are active.
  double find_gap() {
    find_products();
    active_count_ = 0;
    double largest = 0;
    double correlation = 0;
    double size = 0;
    for (std::int64_t d = 0; d < features_; ++d) {
      const double product = magnitude(product_[d]);
      if (square_[d] == 0) continue;
      if (product > largest) largest = product;
      const double squared = product / square_[d] * product;
      if (squared > correlation) correlation = squared;
      size += magnitude(alpha_[d]);
      if (alpha_[d] != 0 || product > limit_) active_[active_count_++] = static_cast<std::int32_t>(d);
    }
    const double left = dot(residual_, residual_, length_);
    if (!is_finite(left)) return kNan;
    if (limit_ == 0) return __builtin_sqrt(correlation / variation_);
    const double common = dot(response_, residual_, length_);
    double factor = left > 0 ? common / left : 0;
    const double most = largest > 0 ? limit_ / largest : magnitude(factor);
    if (magnitude(factor) > most) factor = factor < 0 ? -most : most;
    const double dual = factor * (2 * common - factor * left);
    const double gap = (left + 2 * limit_ * size - dual) / variation_;
    return gap < 0 ? 0 : gap;
  }

  /// Takes every active coefficient to its optimum, in their order, and keeps those active that are not 0 then.
  void sweep() {
    const double* changed = nullptr;  // a column whose change the residual does not have yet
    double change = 0;
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < active_count_; ++i) {
      const std::int32_t d = active_[i];
      const double* const own = column(d);
      const double product = changed == nullptr ? dot(own, residual_, length_)
                                                : subtract_and_dot(residual_, changed, change, own, length_);
      changed = nullptr;
      const double old = alpha_[d];
      const double target = product + square_[d] * old;
      const double beyond = magnitude(target) - limit_;
      const double now = beyond > 0 ? (target < 0 ? -beyond : beyond) / square_[d] : 0;
      if (now != old) {
        alpha_[d] = now;
        change = now - old;
        changed = own;
        ++changes_;
      }
      if (now != 0) active_[kept++] = d;
    }
    if (changed != nullptr) subtract(residual_, changed, change, length_);
    active_count_ = kept;
  }

  void remember() {
    for (std::int64_t d = 0; d < features_; ++d) step_[d] = alpha_[d];
    for (std::int64_t i = 0; i < length_; ++i) fit_step_[i] = residual_[i];
  }

  /// From alpha on in the direction of the sweep since `remember`, to the minimum of the objective along it. Between the
  /// kinks where a coefficient is 0 the objective is a parabola; half its slope at t is
  ///   t |F step|^2 - <F step, r> + lambda n / 2 sum_d sign(alpha_d + t step_d) step_d
  void go_on() {
    double pull = 0;  // of the penalty
    for (std::int64_t d = 0; d < features_; ++d) {
      step_[d] = alpha_[d] - step_[d];
      const bool grows = alpha_[d] == 0 || (alpha_[d] > 0) == (step_[d] > 0);
      pull += grows ? magnitude(step_[d]) : -magnitude(step_[d]);
    }
    for (std::int64_t i = 0; i < length_; ++i) fit_step_[i] -= residual_[i];
    const double curvature = dot(fit_step_, fit_step_, length_);
    const double descent = dot(fit_step_, residual_, length_);
    constexpr double kFar = 1e300;
    double t = 0;
    for (int kink = 0; kink < kMostKinks; ++kink) {
      const double force = descent - limit_ * pull;
      if (force <= t * curvature) break;
      double next = kFar;
      double turn = 0;
      for (std::int64_t d = 0; d < features_; ++d) {
        const double at = kink_of(d);
        if (!(at > t) || at > next) continue;
        turn = (at == next ? turn : 0) + 2 * magnitude(step_[d]);
        next = at;
      }
      const double bottom = curvature > 0 ? force / curvature : kFar;
      t = bottom < next ? bottom : next;
      if (bottom <= next) break;
      pull += turn;
    }
    if (t == 0 || t >= kFar) return;
    const double before = objective();
    for (std::int64_t d = 0; d < features_; ++d) {
      product_[d] = alpha_[d];  // which has no product to hold until the next round
      alpha_[d] = kink_of(d) == t ? 0 : alpha_[d] + t * step_[d];
    }
    find_residual();
    // Of a step that is as small as rounding, the direction is anything.
    if (objective() < before) return;
    for (std::int64_t d = 0; d < features_; ++d) alpha_[d] = product_[d];
  }

  /// n times the objective.
  double objective() const {
    double size = 0;
    for (std::int64_t d = 0; d < features_; ++d) size += magnitude(alpha_[d]);
    return dot(residual_, residual_, length_) + 2 * limit_ * size;
  }

  /// The t > 0 where the coefficient passes 0; 0 where it does not.
  double kink_of(std::int64_t d) const {
    const bool passes = step_[d] != 0 && alpha_[d] != 0 && (alpha_[d] > 0) != (step_[d] > 0);
    return passes ? -alpha_[d] / step_[d] : 0;
  }

  const Call& call_;
  std::int64_t features_;
  double* columns_ = nullptr;   // [features, length]
  double* response_ = nullptr;  // less its mean
  double* residual_ = nullptr;
  double* mean_ = nullptr;     // of the features, not scaled
  double* square_ = nullptr;   // |f|^2
  double* product_ = nullptr;  // <f, r>
  double* step_ = nullptr;      // of a sweep, and what it adds to the fit
  double* fit_step_ = nullptr;
  std::int32_t* active_ = nullptr;
  std::int64_t active_count_ = 0;
  std::int64_t changes_ = 0;  // of coefficients so far
  std::int64_t first_ = 0;
  std::int64_t members_ = 0;
  std::int64_t length_ = 0;  // of a column with its pad
  double* alpha_ = nullptr;
  double limit_ = 0;      // lambda n / 2
  double variation_ = 0;  // |y - mean|^2
  double mean_response_ = 0;
};

}  // namespace

us_status lasso(const us_execution* execution, const us_lasso_params* params, const float* x, const float* y,
                const float* scale, const int32_t* offsets, const int32_t* member, const double* lambda,
                double* coefficients, double* intercept, int32_t* sweeps, double* gap) {
  const us_status status = us_lasso_check_problems(params, offsets, member, lambda);
  if (status != US_OK || params->problems == 0) return status;
  std::int64_t next = 0;
  Call call{*params, x, y, scale, offsets, member, lambda, coefficients, intercept, sweeps, gap, 0, &next};
  for (std::int64_t b = 0; b < params->problems; ++b) {
    const std::int64_t count = offsets[b + 1] - offsets[b];
    if (count > call.largest) call.largest = count;
  }
  // A pass to gather, one for products, and the sweeps.
  constexpr std::int64_t kPasses = 8;
  const std::int64_t cost = params->members / params->problems * (params->features + 1) * kPasses;
  return run_rows<Worker>(*execution, params->problems, cost, call);
}

}  // namespace us::cpu::US_ISA
