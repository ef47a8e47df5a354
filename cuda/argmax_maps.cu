#include "unitscope/argmax_maps.h"

#include "device.cuh"
#include "kernels.cuh"
#include "map_maximum.cuh"

namespace us::cuda {
namespace {

struct Call {
  std::int64_t maps;
  int height;
  int width;
  bool by_columns;
  bool quads;
};

/// GROUP threads find the maximum of one map.
template <int GROUP>
__global__ void argmax_maps_kernel(Call call, const float* __restrict__ x, std::int32_t* __restrict__ index,
                                   float* __restrict__ value) {
  const int thread = static_cast<int>(threadIdx.x) % GROUP;
  const int cells = call.height * call.width;
  const std::int64_t groups = static_cast<std::int64_t>(gridDim.x) * (kThreads / GROUP);
  std::int64_t map = static_cast<std::int64_t>(blockIdx.x) * (kThreads / GROUP) + threadIdx.x / GROUP;
  for (; map < call.maps; map += groups) {
    const float* const from = x + map * cells;
    int cell = 0;
    if (call.by_columns) {
      const int height = call.height;
      const int width = call.width;
      const int place = find_maximum<GROUP>(from, cells, thread, call.quads, [height, width](int each) {
                          return each % width * height + each / width;
                        }).place;
      cell = place % height * width + place / height;
    } else {
      cell = find_maximum<GROUP>(from, cells, thread, call.quads, [](int each) { return each; }).place;
    }
    if (thread == 0) {
      index[map] = cell;
      value[map] = from[cell];
    }
  }
}

/// Maps of up to this many cells are taken by one warp each, larger ones by a block.
constexpr int kWarpCells = 2048;

}  // namespace

us_status argmax_maps(const us_execution* execution, const us_maps_params* params, us_argmax_ties ties, const float* x,
                      int32_t* index, float* value) {
  if (params->maps == 0) return US_OK;
  const int cells = params->height * params->width;
  const Call call{params->maps, params->height, params->width, ties == US_ARGMAX_COLUMN_MAJOR,
                  cells % kElements == 0 && is_aligned(x, 16)};
  const cudaStream_t stream = stream_of(execution);
  if (cells <= kWarpCells) {
    launch(argmax_maps_kernel<kWarp>, block_count(params->maps * kWarp), kThreads, 0, stream, call, x, index, value);
  } else {
    launch(argmax_maps_kernel<kThreads>, block_count(params->maps * kThreads), kThreads, 0, stream, call, x, index, value);
  }
  return launched("argmax_maps");
}

}  // namespace us::cuda
