#pragma once

#include <cmath>
#include <cstdint>

#include "device.cuh"
#include "unitscope/mutual_information.h"

namespace us::cuda {

/// Maps and templates, as a kernel takes them.
struct Filters {
  std::int64_t batch;
  std::int64_t channels;
  int size;
  int cells;
  int templates;
  int radius;   // the largest distance where the cone is above 0
  double step;  // from one distance of the cone to the next
  double tau;
  double positive_prior;
  double negative_prior;

  __host__ __device__ std::int64_t maps() const { return batch * channels; }
  __device__ double prior(int t) const { return t < cells ? positive_prior : negative_prior; }
};

inline Filters filters_of(const us_mi_params& params) {
  const int cells = params.size * params.size;
  const double step = params.beta / params.size;
  int radius = 0;
  while (radius < 2 * (params.size - 1) && 2 - step * (radius + 1) > 0) ++radius;
  return {params.batch, params.channels, params.size, cells,     cells + 1, radius,
          step,         params.tau,      params.alpha / cells, 1 - params.alpha};
}

/// Device memory for the length of one call, given back in the order of the stream.
class Scratch {
 public:
  Scratch(const us_execution* execution, std::int64_t count) : stream_(stream_of(execution)) {
    const std::size_t bytes = static_cast<std::size_t>(count > 0 ? count : 1) * sizeof(double);
    error_ = cudaMallocAsync(&memory_, bytes, stream_);
  }
  ~Scratch() {
    if (error_ == cudaSuccess) cudaFreeAsync(memory_, stream_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  us_status status() const {
    return error_ == cudaSuccess ? US_OK : fail(US_OUT_OF_MEMORY, "device memory cannot be allocated", error_);
  }
  double* get() const { return static_cast<double*>(memory_); }

 private:
  cudaStream_t stream_;
  cudaError_t error_ = cudaSuccess;
  void* memory_ = nullptr;
};

/// One block per map; its grid strides over what exceeds it.
inline unsigned map_blocks(std::int64_t maps) {
  constexpr std::int64_t kMaxBlocks = 0x7fffffff;
  return static_cast<unsigned>(maps < kMaxBlocks ? maps : kMaxBlocks);
}

/// The sum over the block of one value per thread, by a tree of fixed shape, so that it is the same every time.
__device__ inline double block_sum(double value) {
  __shared__ double parts[kThreads];
  parts[threadIdx.x] = value;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) parts[threadIdx.x] += parts[threadIdx.x + half];
    __syncthreads();
  }
  const double sum = parts[0];
  __syncthreads();
  return sum;
}

/// sum of map[i',j'] cone(|i - i'| + |j - j'|): only the diamond where the cone is above 0.
template <typename T>
__device__ inline double correlate(const Filters& filters, const T* map, int cell) {
  const int n = filters.size;
  const int row = cell / n;
  const int column = cell - row * n;
  double sum = 0;
  for (int i = max(0, row - filters.radius); i <= min(n - 1, row + filters.radius); ++i) {
    const int reach = filters.radius - abs(i - row);
    for (int j = max(0, column - reach); j <= min(n - 1, column + reach); ++j) {
      sum += (2 - filters.step * (abs(i - row) + abs(j - column))) * static_cast<double>(map[i * n + j]);
    }
  }
  return sum;
}

/// scores[map, T] in double or float. Maps that fit are read from shared memory.
constexpr int kSharedCells = 4096;

template <typename Score>
__global__ void scores_kernel(Filters filters, const float* __restrict__ x, Score* __restrict__ scores) {
  __shared__ float shared[kSharedCells];
  for (std::int64_t map = blockIdx.x; map < filters.maps(); map += gridDim.x) {
    const float* from = x + map * filters.cells;
    double part = 0;
    for (int cell = threadIdx.x; cell < filters.cells; cell += kThreads) {
      const float value = __ldg(from + cell);
      if (filters.cells <= kSharedCells) shared[cell] = value;
      part += value;
    }
    const double total = block_sum(part);
    if (filters.cells <= kSharedCells) from = shared;
    const double spoil = total - total;
    for (int t = threadIdx.x; t < filters.templates; t += kThreads) {
      const double cone = t < filters.cells ? correlate(filters, from, t) : 0;
      scores[map * filters.templates + t] = static_cast<Score>((cone - total) * filters.tau + spoil);
    }
    __syncthreads();
  }
}

}  // namespace us::cuda
