#include "unitscope/max_pool_backward.h"

#include "kernels.cuh"
#include "pool2d.cuh"

namespace us::cuda {
namespace {

constexpr int kTileHeight = 16;
constexpr int kTileWidth = 64;
constexpr std::int64_t kMaxSharedBytes = 32 * 1024;

/// The most windows along an axis that hold any of `tile` neighbouring cells.
std::int64_t windows_over(const Axis& axis, int tile) {
  const std::int64_t reach = tile - 1 + static_cast<std::int64_t>(axis.kernel - 1) * axis.dilation;
  const std::int64_t most = reach / axis.stride + 1;
  return most < axis.out_size ? most : axis.out_size;
}

/// One block makes one tile of dx: first the switches of every window that holds a cell of the tile, into shared memory,
/// each found once; then the tile gathers by them.
template <int KERNEL>
__global__ void max_pool_backward_kernel(Pooling pooling, us_signal_rule rule, const float* __restrict__ x,
                                         const float* __restrict__ dy, float* __restrict__ dx, int tile_rows,
                                         int tile_columns, std::int64_t tiles, int shared_width) {
  auto* const cells = dynamic_shared<std::uint8_t>();
  const std::int64_t plane_size = static_cast<std::int64_t>(pooling.y.size) * pooling.x.size;
  const std::int64_t windows = static_cast<std::int64_t>(pooling.y.out_size) * pooling.x.out_size;
  for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const Place place(tile, tile_rows, tile_columns);
    const float* const plane = x + place.plane * plane_size;
    const float* const signal = dy + place.plane * windows;
    const int top = place.row * kTileHeight;
    const int left = place.column * kTileWidth;
    const int height = min(kTileHeight, pooling.y.size - top);
    const int width = min(kTileWidth, pooling.x.size - left);
    const int first_row = Holders(pooling.y, top).first;
    const int rows = Holders(pooling.y, top + height - 1).last - first_row + 1;
    const int first_column = Holders(pooling.x, left).first;
    const int columns = Holders(pooling.x, left + width - 1).last - first_column + 1;

    for (int i = threadIdx.x; i < rows * columns; i += blockDim.x) {
      const int row = i / columns;
      const int column = i - row * columns;
      const Maximum best = find_maximum<KERNEL>(pooling, plane, first_row + row, first_column + column);
      cells[row * shared_width + column] = static_cast<std::uint8_t>(best.cell);
    }
    __syncthreads();

    for (int i = threadIdx.x; i < kTileHeight * kTileWidth; i += blockDim.x) {
      const int row = i / kTileWidth;
      const int column = i % kTileWidth;
      if (row >= height || column >= width) continue;
      const std::int64_t at = static_cast<std::int64_t>(top + row) * pooling.x.size + left + column;
      const float sum = collect<true>(
          pooling, top + row, left + column,
          [&](int window_row, int window_column) {
            return cells[(window_row - first_row) * shared_width + window_column - first_column];
          },
          [&](int window_row, int window_column) {
            return __ldg(signal + static_cast<std::int64_t>(window_row) * pooling.x.out_size + window_column);
          });
      dx[place.plane * plane_size + at] = apply_rule(rule, sum, [&] { return __ldg(plane + at); });
    }
    __syncthreads();
  }
}

/// Where the windows over a tile do not fit shared memory (large dilated kernels): every cell finds their switches anew.
__global__ void max_pool_backward_direct_kernel(Pooling pooling, us_signal_rule rule, const float* __restrict__ x,
                                                const float* __restrict__ dy, float* __restrict__ dx, std::int64_t count) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const std::int64_t plane_size = static_cast<std::int64_t>(pooling.y.size) * pooling.x.size;
  const std::int64_t windows = static_cast<std::int64_t>(pooling.y.out_size) * pooling.x.out_size;
  for (; index < count; index += stride) {
    const Place place(index, pooling.y.size, pooling.x.size);
    const float sum = collect<true>(
        pooling, place.row, place.column,
        [&](int row, int column) { return find_maximum<0>(pooling, x + place.plane * plane_size, row, column).cell; },
        [&](int row, int column) {
          return __ldg(dy + place.plane * windows + static_cast<std::int64_t>(row) * pooling.x.out_size + column);
        });
    dx[index] = apply_rule(rule, sum, [&] { return __ldg(x + index); });
  }
}

}  // namespace

us_status max_pool_backward(const us_execution* execution, const us_pool2d_params* params, us_signal_rule rule, const float* x,
                            const float* dy, float* dx) {
  const Pooling pooling = pooling_of(*params);
  const std::int64_t count = pooling.planes * pooling.y.size * pooling.x.size;
  if (count == 0) return US_OK;
  const std::int64_t shared_width = windows_over(pooling.x, kTileWidth);
  const std::int64_t shared_bytes = windows_over(pooling.y, kTileHeight) * shared_width;
  if (shared_bytes > kMaxSharedBytes) {
    launch(max_pool_backward_direct_kernel, block_count(count), kThreads, 0, stream_of(execution), pooling, rule, x, dy,
           dx, count);
    return launched("max_pool_backward");
  }
  const int tile_rows = (pooling.y.size - 1) / kTileHeight + 1;
  const int tile_columns = (pooling.x.size - 1) / kTileWidth + 1;
  const std::int64_t tiles = pooling.planes * tile_rows * tile_columns;
  const unsigned blocks = block_count(tiles * kThreads);
  const auto queue = [&](auto kernel) {
    launch(kernel, blocks, kThreads, static_cast<std::size_t>(shared_bytes), stream_of(execution), pooling, rule, x, dy,
           dx, tile_rows, tile_columns, tiles, static_cast<int>(shared_width));
  };
  if (pooling.y.kernel == 2 && pooling.x.kernel == 2) {
    queue(max_pool_backward_kernel<2>);
  } else if (pooling.y.kernel == 3 && pooling.x.kernel == 3) {
    queue(max_pool_backward_kernel<3>);
  } else {
    queue(max_pool_backward_kernel<0>);
  }
  return launched("max_pool_backward");
}

}  // namespace us::cuda
