#include "unitscope/graph_em_step.h"

#include "cpu/graph_candidates.hpp"
#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  us_graph_params params;
  const float* x;
  const double* coord;
  const double* sigma;
  const double* prior_sigma;
  const float* prior_offset;
  const float* prior_weight;
  double* sums;
  float* position;
  float* score;
  double* tau_of_image;
  double* mass;  // the sum of N(c_a) N(c_b) over the candidates of every node

  std::int64_t nodes() const { return params.channels * params.nodes; }
};

/// One item is a filter.
struct MassWorker {
  explicit MassWorker(const Call& from) : call(from) {}
  void layout(Arena& /*arena*/) {}
  us_status run(std::int64_t begin, std::int64_t end) {
    for (std::int64_t node = begin * call.params.nodes; node < end * call.params.nodes; ++node) {
      const std::int64_t radius = graph_radius(call.params, call.sigma[node]);
      const double sum = sum_of(candidate_densities(radius, call.prior_sigma[node]));
      call.mass[node] = sum * sum;
    }
    return US_OK;
  }

  const Call& call;
};

/// One item is an image.
struct TauWorker {
  explicit TauWorker(const Call& from) : call(from) {}
  void layout(Arena& /*arena*/) {}
  us_status run(std::int64_t begin, std::int64_t end) {
    const std::int64_t nodes = call.nodes();
    for (std::int64_t image = begin; image < end; ++image) {
      const float* const weight = call.prior_weight == nullptr ? nullptr : call.prior_weight + image * nodes;
      double sum = 0;
      for (std::int64_t node = 0; node < nodes; ++node) {
        sum += weight == nullptr ? call.mass[node] : static_cast<double>(weight[node]) * call.mass[node];
      }
      call.tau_of_image[image] = nodes == 0 ? 0 : call.params.tau * (sum / static_cast<double>(nodes));
    }
    return US_OK;
  }

  const Call& call;
};

struct Node {
  std::int64_t radius;
  double row;
  double column;
  double weight;
  double variance;
  double density[kRow];  // N(c_a)
};

/// Of every candidate at t, in sixths of a cell from the node's centre: N of the bin that holds it, 0 beyond the
/// outermost candidates.
inline Row density_there(const Node& node, const Row& t) {
  const auto r = static_cast<double>(node.radius);
  const Doubles two = splat_double(2 * r);
  const Doubles four = splat_double(4 * r);
  const Doubles five = splat_double(5 * r);
  // The candidates lie symmetrically about the centre, so three densities are all there are.
  const Doubles inner = splat_double(node.density[3]);
  const Doubles middle = splat_double(node.density[4]);
  const Doubles outer = splat_double(node.density[5]);
  return for_each_part(
      [=](Doubles at) {
        const Doubles mirrored = Doubles{} - at;
        Doubles value = at <= five && mirrored <= five ? outer : Doubles{};
        value = at <= four && mirrored < four ? middle : value;
        return at <= two && mirrored < two ? inner : value;
      },
      t);
}

/// The whole number that `place` is nearest to, one that is beyond any map for what is far or NaN.
inline std::int64_t cell_of(double place) {
  const double rounded = __builtin_floor(place + 0.5);
  constexpr double kFar = 1e15;
  return rounded > -kFar && rounded < kFar ? static_cast<std::int64_t>(rounded) : static_cast<std::int64_t>(kFar);
}

/// One item is a filter.
class Worker {
 public:
  explicit Worker(const Call& call)
      : call_(call), kernels_(graph_largest_radius(call.params), call.params.smoothing), count_(call.params.nodes) {}

  void layout(Arena& arena) {
    kernels_.layout(arena);
    nodes_ = arena.take<Node>(count_);
    responsibilities_ = arena.take<double>(count_ * kGrid);
    evidence_ = arena.take<double>(kGrid);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    kernels_.prepare();
    for (std::int64_t channel = begin; channel < end; ++channel) {
      find_nodes(channel);
      for (std::int64_t image = 0; image < call_.params.images; ++image) {
        // Without parents they are the same for every image.
        if (image == 0 || call_.prior_offset != nullptr || call_.prior_weight != nullptr) {
          place_nodes(image, channel);
          find_responsibilities(call_.tau_of_image[image]);
        }
        for (std::int64_t n = 0; n < count_; ++n) infer(image, channel, n);
      }
    }
    return US_OK;
  }

 private:
  void find_nodes(std::int64_t channel) {
    for (std::int64_t n = 0; n < count_; ++n) {
      const std::int64_t at = channel * count_ + n;
      Node& node = nodes_[n];
      node.radius = graph_radius(call_.params, call_.sigma[at]);
      node.variance = call_.prior_sigma[at] * call_.prior_sigma[at];
      store_row(node.density, candidate_densities(node.radius, call_.prior_sigma[at]));
    }
  }

  void place_nodes(std::int64_t image, std::int64_t channel) {
    for (std::int64_t n = 0; n < count_; ++n) {
      const std::int64_t at = channel * count_ + n;
      const std::int64_t seen = image * call_.nodes() + at;
      Node& node = nodes_[n];
      node.row = call_.coord[2 * at];
      node.column = call_.coord[2 * at + 1];
      if (call_.prior_offset != nullptr) {
        node.row += static_cast<double>(call_.prior_offset[2 * seen]);
        node.column += static_cast<double>(call_.prior_offset[2 * seen + 1]);
      }
      node.weight = call_.prior_weight == nullptr ? 1 : static_cast<double>(call_.prior_weight[seen]);
    }
  }

  void find_responsibilities(double tau) {
    const Row steps = candidate_steps();
    for (std::int64_t n = 0; n < count_; ++n) {
      const Node& node = nodes_[n];
      const auto radius = static_cast<double>(node.radius);
      Row sums[kCandidates] = {};
      for (std::int64_t m = 0; m < count_; ++m) {
        const Node& other = nodes_[m];
        const double down = 6 * (node.row - other.row);
        const double across = 6 * (node.column - other.column);
        // Beyond this no candidate of one is within those of the other, whatever the rounding.
        const double reach = 5 * (radius + static_cast<double>(other.radius)) + 1;
        if (__builtin_fabs(down) > reach || __builtin_fabs(across) > reach) continue;
        double rows[kRow];
        store_row(rows, density_there(other, steps * radius + down) * other.weight);
        const Row columns = density_there(other, steps * radius + across);
        for (std::int64_t a = 0; a < kCandidates; ++a) sums[a] = sums[a] + columns * rows[a];
      }
      const Row density = load_row(node.density);
      double* const to = responsibilities_ + n * kGrid;
      for (std::int64_t a = 0; a < kCandidates; ++a) {
        const Row prob = density * (node.weight * node.density[a]);
        const Row responsibility = for_each_part(
            [tau](Doubles p, Doubles sum) {
              const Doubles all = sum + tau;
              const Doubles least = splat_double(1e-7);
              return p / (all < least ? least : all);
            },
            prob, sums[a]);
        store_row(to + a * kRow, responsibility);
      }
    }
  }

  /// What an image says about a node: adds to its sums and finds where it is.
  void infer(std::int64_t image, std::int64_t channel, std::int64_t n) {
    const us_graph_params& params = call_.params;
    const Node& node = nodes_[n];
    const float* const map =
        call_.x + (image * params.channels + channel) * static_cast<std::int64_t>(params.height) * params.width;
    kernels_.smooth(map, params.height, params.width, cell_of(node.row), cell_of(node.column), node.radius, evidence_);
    const Row density = load_row(node.density);
    const Row offsets = candidate_offsets(node.radius);
    const Row steps = candidate_steps();
    Row responsible{};
    Row responsible_down{};
    Row likely{};
    Row likely_down{};
    double products[kGrid];
    for (std::int64_t a = 0; a < kCandidates; ++a) {
      const Row evidence = load_row(evidence_ + a * kRow);
      const Row weighted = load_row(responsibilities_ + n * kGrid + a * kRow) * evidence;
      const Row product = density * (node.weight * node.density[a]) * evidence;
      const double half_step = static_cast<double>(2 * a - 5) / 2;
      responsible = responsible + weighted;
      responsible_down = responsible_down + weighted * candidate_offset(node.radius, a);
      likely = likely + product;
      likely_down = likely_down + product * (half_step * half_step);
      store_row(products + a * kRow, product);
    }
    const std::int64_t at = channel * count_ + n;
    double* const sums = call_.sums + at * US_GRAPH_SUMS;
    sums[US_GRAPH_NP] += sum_of(responsible);
    sums[US_GRAPH_LD_ROW] += sum_of(responsible_down) / node.variance;
    sums[US_GRAPH_LD_COLUMN] += sum_of(responsible * offsets) / node.variance;
    sums[US_GRAPH_P] += sum_of(likely);
    sums[US_GRAPH_PV] += sum_of(likely_down) + sum_of(likely * (steps * steps * 0.25));
    write_best(node, products, image * call_.nodes() + at);
  }

  void write_best(const Node& node, const double* products, std::int64_t seen) const {
    std::int64_t best_row = 0;
    std::int64_t best_column = 0;
    double best = products[0];
    for (std::int64_t a = 0; a < kCandidates; ++a) {
      for (std::int64_t b = 0; b < kCandidates; ++b) {
        const double product = products[a * kRow + b];
        if (product > best) {
          best = product;
          best_row = a;
          best_column = b;
        }
      }
    }
    call_.position[2 * seen] = static_cast<float>(node.row + candidate_offset(node.radius, best_row));
    call_.position[2 * seen + 1] = static_cast<float>(node.column + candidate_offset(node.radius, best_column));
    call_.score[seen] = static_cast<float>(best);
  }

  const Call& call_;
  SmoothingKernels kernels_;
  std::int64_t count_;
  Node* nodes_ = nullptr;
  double* responsibilities_ = nullptr;
  double* evidence_ = nullptr;
};

us_status run_call(const us_execution& execution, const Call& call) {
  const us_graph_params& params = call.params;
  constexpr std::int64_t kOfNode = 64;
  us_status status = run_rows<MassWorker>(execution, params.channels, params.nodes * kOfNode, call);
  if (status == US_OK) status = run_rows<TauWorker>(execution, params.images, call.nodes(), call);
  if (status == US_OK) {
    // Some hundreds of operations on rows for a node and an image.
    status = run_rows<Worker>(execution, params.channels, params.images * params.nodes * kOfNode * 8, call);
  }
  return status;
}

}  // namespace

us_status graph_em_step(const us_execution* execution, const us_graph_params* params, const float* x,
                        const double* coord, const double* sigma, const double* prior_sigma, const float* prior_offset,
                        const float* prior_weight, double* sums, float* position, float* score, double* tau_of_image) {
  Call call{*params,      x,    coord,    sigma, prior_sigma,  prior_offset,
            prior_weight, sums, position, score, tau_of_image, nullptr};
  const auto bytes = static_cast<std::size_t>(call.nodes()) * sizeof(double);
  call.mass = static_cast<double*>(__builtin_malloc(bytes + kCacheLine));
  if (call.mass == nullptr) return fail(US_OUT_OF_MEMORY, "%zu bytes of scratch memory cannot be allocated", bytes);
  const us_status status = run_call(*execution, call);
  __builtin_free(call.mass);
  return status;
}

}  // namespace us::cpu::US_ISA
