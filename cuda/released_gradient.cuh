#pragma once

#include "cone.cuh"
#include "unitscope/mi_gradient.h"

namespace us::cuda {
namespace {

/// What the authors' published code makes of every map, `maps` of each.
struct Strengths {
  double* row;       // of the rounded centroid, counted from 1
  double* column;
  double* mean;
  double* borrowed;  // the mean under the mask of the map it is paired with
  double* strength;  // the mean under its own mask, or minus the mean; then the factor of the gradient
};

__device__ double centre_of(double moment, double sum) {
  const double rounded = floor(moment / (sum < 1e-9 ? 1e-9 : sum) + 0.5);
  return rounded < 1 ? 1 : rounded;
}

__device__ double mask_height(const Filters& filters, double slope, double row, double column, int cell) {
  const int i = cell / filters.size;
  const int j = cell - i * filters.size;
  const double grid = filters.size > 1 ? 2.0 / (filters.size - 1) : 0;
  const double height = 1 - slope * grid * (fabs(i + 1 - row) + fabs(j + 1 - column));
  return height < -1 ? -1 : height;
}

/// A block per map.
__global__ void centroid_kernel(Filters filters, const float* __restrict__ x, Strengths strengths) {
  for (std::int64_t map = blockIdx.x; map < filters.maps(); map += gridDim.x) {
    double sum = 0;
    double rows = 0;
    double columns = 0;
    for (int cell = threadIdx.x; cell < filters.cells; cell += kThreads) {
      const double value = x[map * filters.cells + cell];
      const int i = cell / filters.size;
      sum += value;
      rows += (i + 1) * value;
      columns += (cell - i * filters.size + 1) * value;
    }
    sum = block_sum(sum);
    rows = block_sum(rows);
    columns = block_sum(columns);
    if (threadIdx.x != 0) continue;
    strengths.mean[map] = sum / filters.cells;
    strengths.row[map] = centre_of(rows, sum);
    strengths.column[map] = centre_of(columns, sum);
  }
}

/// A block per map.
__global__ void strength_kernel(Filters filters, const float* __restrict__ x, const std::uint8_t* __restrict__ targets,
                                       const float* __restrict__ slopes, Strengths strengths) {
  for (std::int64_t map = blockIdx.x; map < filters.maps(); map += gridDim.x) {
    const std::int64_t channel = map % filters.channels;
    // The last map of the last filter is paired with the first of the first.
    const std::int64_t other = filters.maps() - 1 - map;
    const double slope = slopes[channel];
    const double other_slope = slopes[filters.channels - 1 - channel];
    double own = 0;
    double borrowed = 0;
    for (int cell = threadIdx.x; cell < filters.cells; cell += kThreads) {
      const double value = x[map * filters.cells + cell];
      own += value * mask_height(filters, slope, strengths.row[map], strengths.column[map], cell);
      borrowed += value * mask_height(filters, other_slope, strengths.row[other], strengths.column[other], cell);
    }
    own = block_sum(own);
    borrowed = block_sum(borrowed);
    if (threadIdx.x != 0) continue;
    strengths.borrowed[map] = borrowed / filters.cells;
    strengths.strength[map] = targets[map] != 0 ? own / filters.cells : -strengths.mean[map];
  }
}

/// a log mean exp(sign * values / a) over the batch of a filter.
__device__ double log_mean(const Filters& filters, const double* values, double sign) {
  constexpr double kA = 0.5;
  double largest = sign * values[0];
  for (std::int64_t b = 1; b < filters.batch; ++b) largest = fmax(largest, sign * values[b * filters.channels]);
  double sum = 0;
  for (std::int64_t b = 0; b < filters.batch; ++b) sum += exp((sign * values[b * filters.channels] - largest) / kA);
  return largest + kA * log(sum / static_cast<double>(filters.batch));
}

/// A thread per filter, which reads along the filters.
__global__ void factor_kernel(Filters filters, us_mi_released released, const std::uint8_t* __restrict__ targets,
                                     Strengths strengths) {
  constexpr double kA = 0.5;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  std::int64_t channel = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; channel < filters.channels; channel += stride) {
    for (int list = 0; list < 2; ++list) {
      const bool positives = list == 0;
      const double log_z = positives ? log_mean(filters, strengths.borrowed + channel, 1)
                                     : log_mean(filters, strengths.mean + channel, -1);
      double largest = -INFINITY;
      double count = 0;
      for (std::int64_t map = channel; map < filters.maps(); map += filters.channels) {
        if ((targets[map] != 0) != positives) continue;
        largest = fmax(largest, strengths.strength[map]);
        count += 1;
      }
      double sum = 0;
      for (std::int64_t map = channel; map < filters.maps(); map += filters.channels) {
        if ((targets[map] != 0) != positives) continue;
        const double s = strengths.strength[map];
        strengths.strength[map] = exp((s - largest) / kA) * (s - log_z + kA);
        sum += strengths.strength[map];
      }
      const double mean = sum / count;
      const double weight = positives ? released.positive_weight : released.negative_weight;
      const double scale = mean == 0 ? 0 : released.magnitude * weight / mean;
      for (std::int64_t map = channel; map < filters.maps(); map += filters.channels) {
        if ((targets[map] != 0) == positives) strengths.strength[map] *= scale;
      }
    }
  }
}

__global__ void released_kernel(Filters filters, const std::uint8_t* __restrict__ targets,
                                       const float* __restrict__ slopes, Strengths strengths, float* __restrict__ dx) {
  for (std::int64_t map = blockIdx.x; map < filters.maps(); map += gridDim.x) {
    const double slope = slopes[map % filters.channels];
    const double factor = strengths.strength[map];
    for (int cell = threadIdx.x; cell < filters.cells; cell += kThreads) {
      const double height =
          targets[map] != 0 ? -mask_height(filters, slope, strengths.row[map], strengths.column[map], cell) : 1;
      dx[map * filters.cells + cell] = static_cast<float>(height * factor);
    }
  }
}

/// `scratch` holds five numbers per map.
void released_gradient(cudaStream_t stream, const Filters& filters, const us_mi_released& released, const float* x,
                              const std::uint8_t* targets, const float* slopes, double* scratch, float* dx) {
  const std::int64_t maps = filters.maps();
  const Strengths strengths{scratch, scratch + maps, scratch + 2 * maps, scratch + 3 * maps, scratch + 4 * maps};
  const unsigned blocks = map_blocks(maps);
  launch(centroid_kernel, blocks, kThreads, 0, stream, filters, x, strengths);
  launch(strength_kernel, blocks, kThreads, 0, stream, filters, x, targets, slopes, strengths);
  launch(factor_kernel, block_count(filters.channels), kThreads, 0, stream, filters, released, targets, strengths);
  launch(released_kernel, blocks, kThreads, 0, stream, filters, targets, slopes, strengths, dx);
}

}  // namespace
}  // namespace us::cuda
