#include "unitscope/map_moments.h"

#include "device.cuh"
#include "kernels.cuh"

namespace us::cuda {
namespace {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

struct Call {
  us_maps_params params;
  bool rectified;
};

/// The sum over GROUP threads, known to all of them. The order is fixed.
template <int GROUP>
__device__ double sum_of_group(double mine, int thread) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) mine += __shfl_xor_sync(kAllLanes, mine, offset);
  if (GROUP == kWarp) return mine;
  __shared__ double of_warps[kThreads / kWarp];
  if (thread % kWarp == 0) of_warps[thread / kWarp] = mine;
  __syncthreads();
  double sum = 0;
  for (int warp = 0; warp < kThreads / kWarp; ++warp) sum += of_warps[warp];
  __syncthreads();
  return sum;
}

__device__ double from_middle(std::int64_t position, int size) {
  return static_cast<double>(position) - 0.5 * static_cast<double>(size - 1);
}

/// One thread's part of sums over a map: of the weights, and of the weights times what depends on the column, each row's
/// part handed to `take(row, plain, first, second)`. A warp reads along a row.
template <int GROUP, typename OfColumn, typename Take>
__device__ void for_each_row(const Call& call, const float* __restrict__ x, int thread, OfColumn of_column, Take take) {
  const int width = call.params.width;
  for (std::int64_t row = thread / kWarp; row < call.params.height; row += GROUP / kWarp) {
    double plain = 0;
    double first = 0;
    double second = 0;
    for (std::int64_t column = thread % kWarp; column < width; column += kWarp) {
      const double value = static_cast<double>(__ldg(x + row * width + column));
      const double weight = call.rectified && value <= 0 ? 0 : value;
      const double position = of_column(column);
      plain += weight;
      first += weight * position;
      second += weight * (position * position);
    }
    take(row, plain, first, second);
  }
}

template <int GROUP>
__device__ void find_moments(const Call& call, const float* __restrict__ x, double* __restrict__ to, int thread) {
  const int height = call.params.height;
  const int width = call.params.width;
  double mass = 0;
  double by_row = 0;
  double by_column = 0;
  for_each_row<GROUP>(
      call, x, thread, [width](std::int64_t column) { return from_middle(column, width); },
      [&](std::int64_t row, double plain, double first, double) {
        mass += plain;
        by_row += plain * from_middle(row, height);
        by_column += first;
      });
  mass = sum_of_group<GROUP>(mass, thread);
  by_row = sum_of_group<GROUP>(by_row, thread);
  by_column = sum_of_group<GROUP>(by_column, thread);
  // All threads agree on this, so that none waits in vain.
  if (mass == 0 || mass - mass != 0) {
    if (thread != 0) return;
    to[US_MOMENT_MASS] = mass;
    for (int moment = US_MOMENT_MEAN_ROW; moment < US_MOMENT_COUNT; ++moment) to[moment] = nan("");
    return;
  }
  const double mean_row = by_row / mass;
  const double mean_column = by_column / mass;
  double spread_rows = 0;
  double spread_columns = 0;
  double together = 0;
  for_each_row<GROUP>(
      call, x, thread, [=](std::int64_t column) { return from_middle(column, width) - mean_column; },
      [&](std::int64_t row, double plain, double first, double second) {
        const double distance = from_middle(row, height) - mean_row;
        spread_rows += plain * (distance * distance);
        spread_columns += second;
        together += first * distance;
      });
  spread_rows = sum_of_group<GROUP>(spread_rows, thread);
  spread_columns = sum_of_group<GROUP>(spread_columns, thread);
  together = sum_of_group<GROUP>(together, thread);
  if (thread != 0) return;
  to[US_MOMENT_MASS] = mass;
  to[US_MOMENT_MEAN_ROW] = mean_row - from_middle(0, height);
  to[US_MOMENT_MEAN_COLUMN] = mean_column - from_middle(0, width);
  to[US_MOMENT_VARIANCE_ROW] = spread_rows / mass;
  to[US_MOMENT_VARIANCE_COLUMN] = spread_columns / mass;
  to[US_MOMENT_COVARIANCE] = together / mass;
}

/// GROUP threads take one map, read twice, the second time from the cache.
template <int GROUP>
__global__ void map_moments_kernel(Call call, const float* __restrict__ x, double* __restrict__ moments) {
  const int thread = static_cast<int>(threadIdx.x) % GROUP;
  const std::int64_t cells = static_cast<std::int64_t>(call.params.height) * call.params.width;
  const std::int64_t groups = static_cast<std::int64_t>(gridDim.x) * (kThreads / GROUP);
  std::int64_t map = static_cast<std::int64_t>(blockIdx.x) * (kThreads / GROUP) + threadIdx.x / GROUP;
  for (; map < call.params.maps; map += groups) {
    find_moments<GROUP>(call, x + map * cells, moments + map * US_MOMENT_COUNT, thread);
  }
}

/// Maps of up to this many cells are taken by one warp each, larger ones by a block.
constexpr std::int64_t kWarpCells = 2048;

}  // namespace

us_status map_moments(const us_execution* execution, const us_maps_params* params, int32_t rectified, const float* x,
                      double* moments) {
  const std::int64_t maps = params->maps;
  if (maps == 0) return US_OK;
  const Call call{*params, rectified != 0};
  const cudaStream_t stream = stream_of(execution);
  if (static_cast<std::int64_t>(params->height) * params->width <= kWarpCells) {
    launch(map_moments_kernel<kWarp>, block_count(maps * kWarp), kThreads, 0, stream, call, x, moments);
  } else {
    launch(map_moments_kernel<kThreads>, block_count(maps * kThreads), kThreads, 0, stream, call, x, moments);
  }
  return launched("map_moments");
}

}  // namespace us::cuda
