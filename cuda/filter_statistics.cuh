#pragma once

#include "cone.cuh"

namespace us::cuda {
namespace {

/// Of a batch: log p(x|T) of every map and template, log p(x) of every map, sum_x p(x|T) r_T(x) of every filter and
/// template.
struct Statistics {
  double* log_likelihood;
  double* log_evidence;
  double* divergence;
};

/// Turns scores into log p(x|T): a thread per filter and template, which reads along the templates.
__global__ void likelihood_kernel(Filters filters, const float* __restrict__ log_z, double* __restrict__ scores) {
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
__global__ void evidence_kernel(Filters filters, Statistics statistics) {
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
__global__ void divergence_kernel(Filters filters, Statistics statistics) {
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

void find_statistics(const us_execution* execution, const Filters& filters, const float* x, const float* log_z,
                            const Statistics& statistics) {
  const cudaStream_t stream = stream_of(execution);
  const unsigned blocks = map_blocks(filters.maps());
  const unsigned rows = block_count(filters.channels * filters.templates);
  launch(scores_kernel<double>, blocks, kThreads, 0, stream, filters, x, statistics.log_likelihood);
  launch(likelihood_kernel, rows, kThreads, 0, stream, filters, log_z, statistics.log_likelihood);
  launch(evidence_kernel, blocks, kThreads, 0, stream, filters, statistics);
  if (statistics.divergence != nullptr) launch(divergence_kernel, rows, kThreads, 0, stream, filters, statistics);
}

}  // namespace
}  // namespace us::cuda
