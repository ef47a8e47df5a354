#include "unitscope/graph_em_step.h"

#include <cmath>

#include "cone.cuh"
#include "kernels.cuh"

namespace us::cuda {
namespace {

constexpr int kCandidates = US_GRAPH_CANDIDATES;
constexpr int kGrid = kCandidates * kCandidates;
constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr double kRootOfTwoPi = 0x1.40d931ff62706p+1;

/// What a kernel is given, and scratch that is made first.
struct Graph {
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
  double* densities;  // [nodes, 3]: N(c_a) of the candidates 3, 4 and 5; the others mirror them
  double* kernels;    // K of all half ranges: [candidates, (2r + 1)^2] for each

  __host__ __device__ std::int64_t nodes() const { return params.channels * params.nodes; }

  __device__ int radius(std::int64_t node) const {
    const double three = 3 * sigma[node];
    const double reach = three < params.range ? three : params.range;
    return reach >= 0 ? static_cast<int>(reach + 0.5) : 0;
  }

  __device__ double weight(std::int64_t seen) const {
    return prior_weight == nullptr ? 1 : static_cast<double>(prior_weight[seen]);
  }

  __device__ double centre(std::int64_t node, std::int64_t seen, int axis) const {
    const double mean = coord[2 * node + axis];
    return prior_offset == nullptr ? mean : mean + static_cast<double>(prior_offset[2 * seen + axis]);
  }

  /// N(c_a) of a node, which is the same on both sides of its centre.
  __device__ double density(std::int64_t node, int candidate) const {
    return densities[3 * node + (candidate < 3 ? 2 - candidate : candidate - 3)];
  }
};

/// The cells of the windows of all half ranges below `radius`.
__host__ __device__ inline std::int64_t windows_before(std::int64_t radius) {
  return radius * (4 * radius * radius - 1) / 3;
}

__device__ double candidate_offset(int radius, int candidate) {
  return static_cast<double>(radius * (2 * candidate - 5)) / 6;
}

/// A thread per cell of a window and candidate.
__global__ void kernels_kernel(Graph graph, int largest) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const double m = graph.params.smoothing;
  for (int radius = 0; radius <= largest; ++radius) {
    const int side = 2 * radius + 1;
    const int cells = side * side;
    double* const to = graph.kernels + windows_before(radius) * kGrid;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < kGrid * cells;
         i += stride) {
      const int candidate = static_cast<int>(i / cells);
      const int cell = static_cast<int>(i - static_cast<std::int64_t>(candidate) * cells);
      const double down = candidate_offset(radius, candidate / kCandidates) - (cell / side - radius);
      const double across = candidate_offset(radius, candidate % kCandidates) - (cell % side - radius);
      const double exponent = (down * down + across * across) / (2 * m * m);
      to[i] = exp(exponent < 4.5 ? -exponent : -4.5) / (kRootOfTwoPi * m);
    }
  }
}

/// A thread per node.
__global__ void densities_kernel(Graph graph) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t node = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; node < graph.nodes();
       node += stride) {
    const double s = graph.prior_sigma[node];
    const int radius = graph.radius(node);
    for (int i = 0; i < 3; ++i) {
      const double c = candidate_offset(radius, 3 + i);
      graph.densities[3 * node + i] = exp(-(c * c) / (2 * s * s)) / (kRootOfTwoPi * s);
    }
  }
}

/// A block per image.
__global__ void tau_kernel(Graph graph) {
  const std::int64_t nodes = graph.nodes();
  for (std::int64_t image = blockIdx.x; image < graph.params.images; image += gridDim.x) {
    double part = 0;
    for (std::int64_t node = threadIdx.x; node < nodes; node += kThreads) {
      const double* const density = graph.densities + 3 * node;
      const double along = 2 * (density[0] + density[1] + density[2]);
      part += graph.weight(image * nodes + node) * (along * along);
    }
    const double sum = block_sum(part);
    if (threadIdx.x == 0) {
      graph.tau_of_image[image] = nodes == 0 ? 0 : graph.params.tau * (sum / static_cast<double>(nodes));
    }
  }
}

/// N of the bin of a node that holds t, in sixths of a cell from its centre; 0 beyond the outermost candidates.
__device__ double density_there(const double* density, double radius, double t) {
  if (t > -2 * radius && t <= 2 * radius) return density[0];
  if (t > -4 * radius && t <= 4 * radius) return density[1];
  return t >= -5 * radius && t <= 5 * radius ? density[2] : 0;
}

/// The sum of the prob of all nodes of the filter at one candidate of a node.
__device__ double prob_of_all(const Graph& graph, std::int64_t image, std::int64_t node, int candidate) {
  const std::int64_t nodes = graph.nodes();
  const std::int64_t first = node / graph.params.nodes * graph.params.nodes;
  const int radius = graph.radius(node);
  const double row = graph.centre(node, image * nodes + node, 0);
  const double column = graph.centre(node, image * nodes + node, 1);
  const double down = static_cast<double>(radius * (2 * (candidate / kCandidates) - 5));
  const double across = static_cast<double>(radius * (2 * (candidate % kCandidates) - 5));
  double sum = 0;
  for (std::int64_t other = first; other < first + graph.params.nodes; ++other) {
    const std::int64_t seen = image * nodes + other;
    const double reach = graph.radius(other);
    const double* const density = graph.densities + 3 * other;
    const double t_row = 6 * (row - graph.centre(other, seen, 0)) + down;
    const double t_column = 6 * (column - graph.centre(other, seen, 1)) + across;
    sum += density_there(density, reach, t_row) * graph.weight(seen) * density_there(density, reach, t_column);
  }
  return sum;
}

/// E at one candidate.
__device__ double smoothed(const Graph& graph, const float* map, double row, double column, int radius, int candidate) {
  const int side = 2 * radius + 1;
  const double* const kernel = graph.kernels + (windows_before(radius) * kGrid + candidate * side * side);
  const double top = floor(row + 0.5) - radius;
  const double left = floor(column + 0.5) - radius;
  double sum = 0;
  for (int i = 0; i < side; ++i) {
    // In double, because a coordinate may be any number.
    const double y = top + i;
    if (!(y >= 0 && y < graph.params.height)) continue;
    for (int j = 0; j < side; ++j) {
      const double x = left + j;
      if (!(x >= 0 && x < graph.params.width)) continue;
      const double value = static_cast<double>(
          __ldg(map + static_cast<std::int64_t>(y) * graph.params.width + static_cast<std::int64_t>(x)));
      // Not the other way round, so that NaN counts.
      if (!(value <= 0)) sum += kernel[i * side + j] * value;
    }
  }
  return sum;
}

/// The sum over a warp of one value per lane, by a tree of fixed shape.
__device__ double warp_sum(double value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}

struct Best {
  double product;
  int candidate;
};

/// The larger product; of equal ones the first candidate. NaN, which all candidates are then, loses to none.
__device__ Best better(Best a, Best b) {
  const bool b_wins = b.product > a.product || (!(a.product > b.product) && b.candidate < a.candidate);
  return b_wins ? b : a;
}

__device__ Best best_of_warp(Best mine) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const Best other{__shfl_xor_sync(kAllLanes, mine.product, offset),
                     __shfl_xor_sync(kAllLanes, mine.candidate, offset)};
    mine = better(mine, other);
  }
  return mine;
}

/// A warp per node, which goes through the images in their order, so that its sums are those of any split into batches.
__global__ void graph_em_step_kernel(Graph graph) {
  const us_graph_params& params = graph.params;
  const std::int64_t nodes = graph.nodes();
  const std::int64_t cells = static_cast<std::int64_t>(params.height) * params.width;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t warps = static_cast<std::int64_t>(gridDim.x) * (kThreads / kWarp);
  std::int64_t node = static_cast<std::int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
  const bool by_image = graph.prior_offset != nullptr || graph.prior_weight != nullptr;
  for (; node < nodes; node += warps) {
    const int radius = graph.radius(node);
    const double variance = graph.prior_sigma[node] * graph.prior_sigma[node];
    // A lane has candidate `lane`, the first four have one more.
    double of_all[2] = {0, 0};
    for (std::int64_t image = 0; image < params.images; ++image) {
      const std::int64_t seen = image * nodes + node;
      const double row = graph.centre(node, seen, 0);
      const double column = graph.centre(node, seen, 1);
      const float* const map = graph.x + (image * params.channels + node / params.nodes) * cells;
      double terms[US_GRAPH_SUMS] = {};
      Best best{-INFINITY, kGrid};
      for (int turn = 0; turn < 2; ++turn) {
        const int candidate = lane + turn * kWarp;
        if (candidate >= kGrid) continue;
        const int a = candidate / kCandidates;
        const int b = candidate % kCandidates;
        if (by_image || image == 0) of_all[turn] = prob_of_all(graph, image, node, candidate);
        const double prob = graph.density(node, a) * graph.weight(seen) * graph.density(node, b);
        const double all = of_all[turn] + graph.tau_of_image[image];
        const double evidence = smoothed(graph, map, row, column, radius, candidate);
        const double responsible = prob / (all < 1e-7 ? 1e-7 : all) * evidence;
        const double product = prob * evidence;
        const double down = a - 2.5;
        const double across = b - 2.5;
        terms[US_GRAPH_NP] += responsible;
        terms[US_GRAPH_LD_ROW] += responsible * candidate_offset(radius, a);
        terms[US_GRAPH_LD_COLUMN] += responsible * candidate_offset(radius, b);
        terms[US_GRAPH_P] += product;
        terms[US_GRAPH_PV] += product * (down * down + across * across);
        best = better(best, {product, candidate});
      }
      for (double& term : terms) term = warp_sum(term);
      best = best_of_warp(best);
      if (lane != 0) continue;
      double* const sums = graph.sums + node * US_GRAPH_SUMS;
      for (int i = 0; i < US_GRAPH_SUMS; ++i) {
        const bool derivative = i == US_GRAPH_LD_ROW || i == US_GRAPH_LD_COLUMN;
        sums[i] += derivative ? terms[i] / variance : terms[i];
      }
      const double down = candidate_offset(radius, best.candidate / kCandidates);
      const double across = candidate_offset(radius, best.candidate % kCandidates);
      graph.position[2 * seen] = static_cast<float>(row + down);
      graph.position[2 * seen + 1] = static_cast<float>(column + across);
      graph.score[seen] = static_cast<float>(best.product);
    }
  }
}

}  // namespace

us_status graph_em_step(const us_execution* execution, const us_graph_params* params, const float* x,
                        const double* coord, const double* sigma, const double* prior_sigma, const float* prior_offset,
                        const float* prior_weight, double* sums, float* position, float* score, double* tau_of_image) {
  if (params->images == 0) return US_OK;
  const int largest = static_cast<int>(params->range + 0.5);
  const std::int64_t nodes = params->channels * params->nodes;
  const Scratch scratch(execution, 3 * nodes + windows_before(largest + 1) * kGrid);
  if (scratch.status() != US_OK) return scratch.status();
  const Graph graph{*params,      x,    coord,    sigma, prior_sigma,  prior_offset,
                    prior_weight, sums, position, score, tau_of_image, scratch.get(),
                    scratch.get() + 3 * nodes};
  const cudaStream_t stream = stream_of(execution);
  const std::int64_t side = 2 * largest + 1;
  launch(kernels_kernel, block_count(side * side * kGrid), kThreads, 0, stream, graph, largest);
  if (nodes > 0) launch(densities_kernel, block_count(nodes), kThreads, 0, stream, graph);
  launch(tau_kernel, map_blocks(params->images), kThreads, 0, stream, graph);
  if (nodes > 0) launch(graph_em_step_kernel, block_count(nodes * kWarp), kThreads, 0, stream, graph);
  return launched("graph_em_step");
}

}  // namespace us::cuda
