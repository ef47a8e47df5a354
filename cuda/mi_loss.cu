#include "unitscope/mi_loss.h"

#include "filter_statistics.cuh"
#include "kernels.cuh"

namespace us::cuda {
namespace {

/// A block per filter.
__global__ void loss_kernel(Filters filters, const double* __restrict__ divergence, float* __restrict__ loss) {
  for (std::int64_t channel = blockIdx.x; channel < filters.channels; channel += gridDim.x) {
    double part = 0;
    for (int t = threadIdx.x; t < filters.templates; t += kThreads) {
      part += filters.prior(t) * divergence[channel * filters.templates + t];
    }
    const double information = block_sum(part);
    if (threadIdx.x == 0) loss[channel] = static_cast<float>(0.0 - information);
  }
}

}  // namespace

us_status mi_loss(const us_execution* execution, const us_mi_params* params, const float* x, const float* log_z, float* loss) {
  const Filters filters = filters_of(*params);
  if (filters.channels == 0) return US_OK;
  if (filters.batch == 0) {
    const std::size_t bytes = static_cast<std::size_t>(filters.channels) * sizeof(float);
    const cudaError_t error = cudaMemsetAsync(loss, 0, bytes, stream_of(execution));
    return error == cudaSuccess ? US_OK : fail(US_INTERNAL, "mi_loss", error);
  }
  const std::int64_t rows = filters.channels * filters.templates;
  const Scratch scratch(execution, filters.batch * rows + filters.maps() + rows);
  if (scratch.status() != US_OK) return scratch.status();
  double* const evidence = scratch.get() + filters.batch * rows;
  const Statistics statistics{scratch.get(), evidence, evidence + filters.maps()};
  find_statistics(execution, filters, x, log_z, statistics);
  launch(loss_kernel, map_blocks(filters.channels), kThreads, 0, stream_of(execution), filters,
         statistics.divergence, loss);
  return launched("mi_loss");
}

}  // namespace us::cuda
