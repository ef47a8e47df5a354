#include "unitscope/mi_gradient.h"

#include "filter_statistics.cuh"
#include "kernels.cuh"
#include "released_gradient.cuh"

namespace us::cuda {
namespace {

/// Turns log p(x|T) into the weight of every template: the terms of the gradient but for T_ij.
__global__ void weights_kernel(Filters filters, Statistics statistics) {
  const std::int64_t count = filters.maps() * filters.templates;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    const std::int64_t map = i / filters.templates;
    const int t = static_cast<int>(i - map * filters.templates);
    const double value = statistics.log_likelihood[i];
    const double ratio = value - statistics.log_evidence[map];
    const double shift =
        statistics.divergence == nullptr ? 0 : statistics.divergence[map % filters.channels * filters.templates + t];
    statistics.log_likelihood[i] = exp(value) * (shift - ratio) * filters.prior(t);
  }
}

/// dx = sum_T weight T_ij: a block per map.
__global__ void combine_kernel(Filters filters, const double* __restrict__ weights, float* __restrict__ dx) {
  __shared__ double shared[kSharedCells];
  for (std::int64_t map = blockIdx.x; map < filters.maps(); map += gridDim.x) {
    const double* from = weights + map * filters.templates;
    double part = 0;
    for (int t = threadIdx.x; t < filters.templates; t += kThreads) {
      const double value = from[t];
      if (filters.cells <= kSharedCells && t < filters.cells) shared[t] = value;
      part += value;
    }
    const double total = block_sum(part);
    if (filters.cells <= kSharedCells) from = shared;
    const double spoil = total - total;
    for (int cell = threadIdx.x; cell < filters.cells; cell += kThreads) {
      dx[map * filters.cells + cell] =
          static_cast<float>((correlate(filters, from, cell) - total) * filters.tau + spoil);
    }
    __syncthreads();
  }
}

/// The first maximum of a map and whether all of it is zero: a block, every thread of which gets the answer.
__device__ int find_template(const Filters& filters, const float* map, bool& is_zero) {
  __shared__ float values[kThreads];
  __shared__ int places[kThreads];
  const double nonzero = [&] {
    double count = 0;
    for (int cell = threadIdx.x; cell < filters.cells; cell += kThreads) count += map[cell] != 0 ? 1 : 0;
    return block_sum(count);
  }();
  is_zero = nonzero == 0;
  float best = -INFINITY;
  int place = 0x7fffffff;
  for (int cell = threadIdx.x; cell < filters.cells; cell += kThreads) {
    if (map[cell] > best || place == 0x7fffffff) {
      best = map[cell];
      place = cell;
    }
  }
  values[threadIdx.x] = best;
  places[threadIdx.x] = place;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    const int other = static_cast<int>(threadIdx.x) + half;
    if (static_cast<int>(threadIdx.x) < half &&
        (values[other] > values[threadIdx.x] ||
         (values[other] == values[threadIdx.x] && places[other] < places[threadIdx.x]))) {
      values[threadIdx.x] = values[other];
      places[threadIdx.x] = places[other];
    }
    __syncthreads();
  }
  const int found = places[0];
  __syncthreads();
  // Only maps with NaN, whose gradient is NaN whatever the template.
  return found < filters.cells ? found : 0;
}

__global__ void one_template_kernel(Filters filters, Statistics statistics, const float* __restrict__ x,
                                    const std::uint8_t* __restrict__ targets, float* __restrict__ dx) {
  for (std::int64_t map = blockIdx.x; map < filters.maps(); map += gridDim.x) {
    const bool target = targets[map] != 0;
    bool is_zero = false;
    const int maximum = find_template(filters, x + map * filters.cells, is_zero);
    const int t = target ? maximum : filters.cells;
    const double value = statistics.log_likelihood[map * filters.templates + t];
    double factor = filters.prior(t) * exp(value) * (value - statistics.log_evidence[map]);
    if (target && is_zero) factor *= 0;
    const int row = t / filters.size;
    const int column = t - row * filters.size;
    for (int cell = threadIdx.x; cell < filters.cells; cell += kThreads) {
      const int i = cell / filters.size;
      const int j = cell - i * filters.size;
      const double height = 1 - filters.step * (abs(i - row) + abs(j - column));
      const double shape = !target || height < -1 ? -1 : height;
      dx[map * filters.cells + cell] = static_cast<float>(0.0 - factor * (filters.tau * shape));
    }
  }
}

}  // namespace

us_status mi_gradient(const us_execution* execution, const us_mi_params* params, us_mi_mode mode,
                      const us_mi_released* released, const float* x, const uint8_t* targets, const float* slopes,
                      const float* log_z, float* dx) {
  const Filters filters = filters_of(*params);
  if (filters.maps() == 0) return US_OK;
  const cudaStream_t stream = stream_of(execution);
  if (mode == US_MI_RELEASED) {
    const Scratch scratch(execution, 5 * filters.maps());
    if (scratch.status() != US_OK) return scratch.status();
    released_gradient(stream, filters, *released, x, targets, slopes, scratch.get(), dx);
    return launched("mi_gradient");
  }
  const std::int64_t rows = filters.channels * filters.templates;
  const Scratch scratch(execution, filters.batch * rows + filters.maps() + rows);
  if (scratch.status() != US_OK) return scratch.status();
  double* const evidence = scratch.get() + filters.batch * rows;
  const Statistics statistics{scratch.get(), evidence, mode == US_MI_EXACT ? evidence + filters.maps() : nullptr};
  find_statistics(execution, filters, x, log_z, statistics);
  const unsigned blocks = map_blocks(filters.maps());
  if (mode == US_MI_ONE_TEMPLATE) {
    launch(one_template_kernel, blocks, kThreads, 0, stream, filters, statistics, x, targets, dx);
  } else {
    launch(weights_kernel, block_count(filters.batch * rows), kThreads, 0, stream, filters, statistics);
    launch(combine_kernel, blocks, kThreads, 0, stream, filters, statistics.log_likelihood, dx);
  }
  return launched("mi_gradient");
}

}  // namespace us::cuda
