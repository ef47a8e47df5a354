#include "unitscope/max_pool.h"

#include "kernels.cuh"
#include "pool2d.cuh"

namespace us::cuda {
namespace {

/// Each thread makes four neighbouring windows of the flattened output: one 16-byte store of maxima, one 4-byte store of
/// switches. Their reads overlap and are served by the L1 cache.
template <int KERNEL>
__global__ void max_pool_kernel(Pooling pooling, const float* __restrict__ x, float* __restrict__ y,
                                std::uint8_t* __restrict__ switches, std::int64_t windows, bool aligned) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x * kElements;
  std::int64_t index = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kElements;
  for (; index < windows; index += stride) {
    Place place(index, pooling.y.out_size, pooling.x.out_size);
    float values[kElements];
    std::uint8_t cells[kElements];
    const int count = windows - index < kElements ? static_cast<int>(windows - index) : kElements;
    for (int i = 0; i < count; ++i, place.step(pooling.y.out_size, pooling.x.out_size)) {
      const float* const plane = x + place.plane * pooling.y.size * pooling.x.size;
      const Maximum best = find_maximum<KERNEL>(pooling, plane, place.row, place.column);
      values[i] = best.value;
      cells[i] = static_cast<std::uint8_t>(best.cell);
    }
    if (aligned && count == kElements) {
      *reinterpret_cast<float4*>(y + index) = make_float4(values[0], values[1], values[2], values[3]);
      *reinterpret_cast<uchar4*>(switches + index) = make_uchar4(cells[0], cells[1], cells[2], cells[3]);
    } else {
      for (int i = 0; i < count; ++i) {
        y[index + i] = values[i];
        switches[index + i] = cells[i];
      }
    }
  }
}

}  // namespace

us_status max_pool(const us_execution* execution, const us_pool2d_params* params, const float* x, float* y,
                   uint8_t* switches) {
  const Pooling pooling = pooling_of(*params);
  const std::int64_t windows = pooling.planes * pooling.y.out_size * pooling.x.out_size;
  if (windows == 0) return US_OK;
  const bool aligned = is_aligned(y, 16) && is_aligned(switches, 4);
  const unsigned blocks = block_count((windows + kElements - 1) / kElements);
  const auto queue = [&](auto kernel) {
    launch(kernel, blocks, kThreads, 0, stream_of(execution), pooling, x, y, switches, windows, aligned);
  };
  if (pooling.y.kernel == 2 && pooling.x.kernel == 2) {
    queue(max_pool_kernel<2>);
  } else if (pooling.y.kernel == 3 && pooling.x.kernel == 3) {
    queue(max_pool_kernel<3>);
  } else {
    queue(max_pool_kernel<0>);
  }
  return launched("max_pool");
}

}  // namespace us::cuda
