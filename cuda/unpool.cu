#include "unitscope/unpool.h"

#include "kernels.cuh"
#include "pool2d.cuh"

namespace us::cuda {
namespace {

/// Gathers instead of scattering, so there are no atomics and the order of a sum is fixed. Each thread makes four
/// neighbouring cells of the flattened planes: one 16-byte store.
template <bool ACCUMULATE>
__global__ void unpool_kernel(Pooling pooling, bool rectified, const float* __restrict__ y,
                              const std::uint8_t* __restrict__ switches, float* __restrict__ x, std::int64_t cells,
                              bool aligned) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x * kElements;
  std::int64_t index = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kElements;
  const int width = pooling.x.out_size;
  for (; index < cells; index += stride) {
    Place place(index, pooling.y.size, pooling.x.size);
    float values[kElements];
    const int count = cells - index < kElements ? static_cast<int>(cells - index) : kElements;
    for (int i = 0; i < count; ++i, place.step(pooling.y.size, pooling.x.size)) {
      const std::int64_t plane = place.plane * pooling.y.out_size * width;
      const auto at = [&](int row, int column) { return plane + static_cast<std::int64_t>(row) * width + column; };
      values[i] = collect<ACCUMULATE>(
          pooling, place.row, place.column, [&](int row, int column) { return __ldg(switches + at(row, column)); },
          [&](int row, int column) { return __ldg(y + at(row, column)); });
      if (rectified && values[i] <= 0) values[i] = 0;
    }
    if (aligned && count == kElements) {
      *reinterpret_cast<float4*>(x + index) = make_float4(values[0], values[1], values[2], values[3]);
    } else {
      for (int i = 0; i < count; ++i) x[index + i] = values[i];
    }
  }
}

}  // namespace

us_status unpool(const us_execution* execution, const us_pool2d_params* params, us_unpool_mode mode, us_signal_rule rule,
                 const float* y, const uint8_t* switches, float* x) {
  const Pooling pooling = pooling_of(*params);
  const std::int64_t cells = pooling.planes * pooling.y.size * pooling.x.size;
  if (cells == 0) return US_OK;
  const unsigned blocks = block_count((cells + kElements - 1) / kElements);
  const auto queue = [&](auto kernel) {
    launch(kernel, blocks, kThreads, 0, stream_of(execution), pooling, rule == US_SIGNAL_RULE_DECONVNET, y, switches, x, cells,
           is_aligned(x, 16));
  };
  if (mode == US_UNPOOL_ACCUMULATE) {
    queue(unpool_kernel<true>);
  } else {
    queue(unpool_kernel<false>);
  }
  return launched("unpool");
}

}  // namespace us::cuda
