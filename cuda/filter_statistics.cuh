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

/// Of a batch: log p(x|T) of every map and template, log p(x) of every map, sum_x p(x|T) r_T(x) of every filter and
/// template.
struct Statistics {
  double* log_likelihood;
  double* log_evidence;
  double* divergence;
};

/// Turns scores into log p(x|T): a thread per filter and template, which reads along the templates.
__global__ inline void likelihood_kernel(Filters filters, const float* __restrict__ log_z, double* __restrict__ scores) {
  const std::int64_t count = filters.channels * filters.templates;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    double partition = 0;
    if (log_z != nullptr) {
      partition = log_z[i];
    } else {
      double largest = scores[i];
      for (std::int64_t b = 1; b < filters.batch; ++b) largest = fmax(largest, scores[b * count + i]);
      double sum = 0;
      for (std::int64_t b = 0; b < filters.batch; ++b) sum += exp(scores[b * count + i] - largest);
      partition = largest + log(sum);
    }
    for (std::int64_t b = 0; b < filters.batch; ++b) {
      const double value = scores[b * count + i] - partition;
      scores[b * count + i] = value > 600 ? 600 : value;
    }
  }
}

/// log p(x): a block per map.
__global__ inline void evidence_kernel(Filters filters, Statistics statistics) {
  for (std::int64_t map = blockIdx.x; map < filters.maps(); map += gridDim.x) {
    const double* const likelihood = statistics.log_likelihood + map * filters.templates;
    double part = 0;
    for (int t = threadIdx.x; t < filters.templates; t += kThreads) part += filters.prior(t) * exp(likelihood[t]);
    const double sum = block_sum(part);
    // Below this every p(x|T) of the map is 0 to any precision, and 0 times any number is what remains of it.
    if (threadIdx.x == 0) statistics.log_evidence[map] = log(sum < 0x1p-1022 ? 0x1p-1022 : sum);
  }
}

/// A thread per filter and template.
__global__ inline void divergence_kernel(Filters filters, Statistics statistics) {
  const std::int64_t count = filters.channels * filters.templates;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    const std::int64_t channel = i / filters.templates;
    double sum = 0;
    for (std::int64_t b = 0; b < filters.batch; ++b) {
      const double value = statistics.log_likelihood[b * count + i];
      sum += exp(value) * (value - statistics.log_evidence[b * filters.channels + channel]);
    }
    statistics.divergence[i] = sum;
  }
}

inline void find_statistics(const us_execution* execution, const Filters& filters, const float* x, const float* log_z,
                            const Statistics& statistics) {
  const cudaStream_t stream = stream_of(execution);
  const unsigned blocks = map_blocks(filters.maps());
  const unsigned rows = block_count(filters.channels * filters.templates);
  scores_kernel<double><<<blocks, kThreads, 0, stream>>>(filters, x, statistics.log_likelihood);
  likelihood_kernel<<<rows, kThreads, 0, stream>>>(filters, log_z, statistics.log_likelihood);
  evidence_kernel<<<blocks, kThreads, 0, stream>>>(filters, statistics);
  if (statistics.divergence != nullptr) divergence_kernel<<<rows, kThreads, 0, stream>>>(filters, statistics);
}

}  // namespace us::cuda
