#include "unitscope/cosine_similarity.h"

#include "cone.cuh"
#include "kernels.cuh"
#include "product.cuh"

namespace us::cuda {
namespace {

/// What brings the rows of A, and then those of B, to length 1: a block for each row.
__global__ void scales_kernel(us_cosine_params params, const float* __restrict__ a, const float* __restrict__ b,
                              double* __restrict__ scales) {
  const std::int64_t rows = params.m + params.n;
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* const from = row < params.m ? a + row * params.k : b + (row - params.m) * params.k;
    double part = 0;
    for (std::int64_t i = threadIdx.x; i < params.k; i += kThreads) {
      const double value = static_cast<double>(__ldg(from + i));
      part += value * value;
    }
    const double norm = sqrt(block_sum(part));
    // An infinite norm gives 0, and 0 times the infinity that made it NaN.
    if (threadIdx.x == 0) scales[row] = norm == 0 ? 0 : 1 / norm;
  }
}

}  // namespace

us_status cosine_similarity(const us_execution* execution, const us_cosine_params* params, const float* a, const float* b,
                            float* c) {
  const auto& [m, n, k] = *params;
  if (m == 0 || n == 0) return US_OK;
  const Scratch scales(execution, m + n);
  if (scales.status() != US_OK) return scales.status();
  launch(scales_kernel, map_blocks(m + n), kThreads, 0, stream_of(execution), *params, a, b, scales.get());
  multiply(execution, {{a, m, k, 1, scales.get()}, {b, n, k, 1, scales.get() + m}, k, c, n, false});
  return launched("cosine_similarity");
}

}  // namespace us::cuda
