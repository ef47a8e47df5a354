#include "unitscope/mask_forward.h"

#include "kernels.cuh"
#include "map_maximum.cuh"
#include "template_mask.cuh"

namespace us::cuda {
namespace {

/// The first maximum of a map, known to all GROUP threads.
template <int GROUP>
__device__ int first_maximum(const Masking& masking, const float* __restrict__ x, int thread, bool quads) {
  return find_maximum<GROUP>(x, masking.plane, thread, quads, [](int cell) { return cell; }).place;
}

__device__ int rounded_cell(double weighted, double total, int size) {
  const double mean = weighted / (total > 1e-9 ? total : 1e-9) + 0.5;
  if (!(mean >= 1)) return 0;
  if (mean >= static_cast<double>(size)) return size - 1;
  return static_cast<int>(mean) - 1;
}

/// The rounded centroid, by one warp: a lane sums a column, then all lanes add the columns up in their order, so that the
/// sums are those of the CPU.
__device__ int centroid_of_warp(const Masking& masking, const float* __restrict__ x, int lane) {
  double total = 0;
  double by_row = 0;
  double by_column = 0;
  for (int first = 0; first < masking.size; first += kWarp) {
    const int column = first + lane;
    double sum = 0;
    double weighted = 0;
    if (column < masking.size) {
      for (int row = 0; row < masking.size; ++row) {
        const double value = static_cast<double>(__ldg(x + row * masking.size + column));
        sum += value;
        weighted += static_cast<double>(row + 1) * value;
      }
    }
    const int columns = min(kWarp, masking.size - first);
    for (int each = 0; each < columns; ++each) {
      const double column_sum = __shfl_sync(kAllLanes, sum, each);
      total += column_sum;
      by_row += __shfl_sync(kAllLanes, weighted, each);
      by_column += static_cast<double>(first + each + 1) * column_sum;
    }
  }
  return rounded_cell(by_row, total, masking.size) * masking.size + rounded_cell(by_column, total, masking.size);
}

template <int GROUP>
__device__ int rounded_centroid(const Masking& masking, const float* __restrict__ x, int thread) {
  if (GROUP == kWarp) return centroid_of_warp(masking, x, thread);
  __shared__ int found;
  if (thread < kWarp) {
    const int cell = centroid_of_warp(masking, x, thread);
    if (thread == 0) found = cell;
  }
  __syncthreads();
  const int cell = found;
  __syncthreads();
  return cell;
}

__device__ float masked(const Masking& masking, float beta, float value, int distance) {
  const float product = value * template_at(masking, beta, distance);
  return product <= 0.0F ? 0.0F : product;
}

/// GROUP threads make one map: find its part, then mask it, reading it again from the cache.
template <int GROUP>
__global__ void mask_forward_kernel(Masking masking, us_mask_location location, const float* __restrict__ x,
                                    const float* __restrict__ beta, float* __restrict__ y, std::int32_t* __restrict__ mu,
                                    bool quads) {
  const int thread = static_cast<int>(threadIdx.x) % GROUP;
  const std::int64_t groups = static_cast<std::int64_t>(gridDim.x) * (kThreads / GROUP);
  std::int64_t map = static_cast<std::int64_t>(blockIdx.x) * (kThreads / GROUP) + threadIdx.x / GROUP;
  for (; map < masking.maps; map += groups) {
    const float* const from = x + map * masking.plane;
    float* const to = y + map * masking.plane;
    const int cell_of_part = location == US_MASK_ARGMAX ? first_maximum<GROUP>(masking, from, thread, quads)
                                                        : rounded_centroid<GROUP>(masking, from, thread);
    if (thread == 0) mu[map] = cell_of_part;
    const Walk part(masking, cell_of_part);
    const float slope = __ldg(beta + map % masking.channels);
    if (quads) {
      for (int cell = thread * kElements; cell < masking.plane; cell += GROUP * kElements) {
        float4 four = __ldg(reinterpret_cast<const float4*>(from + cell));
        Walk walk(masking, cell);
        for (float* value : {&four.x, &four.y, &four.z, &four.w}) {
          *value = masked(masking, slope, *value, walk.distance(part));
          walk.step(masking);
        }
        *reinterpret_cast<float4*>(to + cell) = four;
      }
    } else {
      for (int cell = thread; cell < masking.plane; cell += GROUP) {
        to[cell] = masked(masking, slope, __ldg(from + cell), Walk(masking, cell).distance(part));
      }
    }
  }
}

}  // namespace

us_status mask_forward(const us_execution* execution, const us_mask_params* params, us_mask_location location,
                       const float* x, const float* beta, float* y, int32_t* mu) {
  const Masking masking = masking_of(*params);
  if (masking.maps == 0) return US_OK;
  const bool quads = in_quads(masking, x, y);
  if (masking.plane <= kWarpCells) {
    launch(mask_forward_kernel<kWarp>, block_count(masking.maps * kWarp), kThreads, 0, stream_of(execution), masking,
           location, x, beta, y, mu, quads);
  } else {
    launch(mask_forward_kernel<kThreads>, block_count(masking.maps * kThreads), kThreads, 0, stream_of(execution),
           masking, location, x, beta, y, mu, quads);
  }
  return launched("mask_forward");
}

}  // namespace us::cuda
