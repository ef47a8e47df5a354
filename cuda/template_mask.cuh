#pragma once

#include <cstdint>

#include "device.cuh"
#include "unitscope/template_mask.h"

namespace us::cuda {

/// The geometry of a mask, as a kernel takes it.
struct Masking {
  std::int64_t maps;
  std::int64_t channels;
  int size;
  int plane;
  float height;
};

inline Masking masking_of(const us_mask_params& params) {
  return {params.batch * params.channels, params.channels, params.size, params.size * params.size, params.height};
}

/// The template of a part, at `distance` cells from it.
__device__ inline float template_at(const Masking& masking, float beta, int distance) {
  const float side = static_cast<float>(masking.size);
  const float slope = (side - beta * static_cast<float>(distance)) / side;
  return masking.height * (slope > -1.0F ? slope : -1.0F);
}

/// Walks the cells of a map in row-major order, with the distance of each from the part.
struct Walk {
  int row;
  int column;

  __device__ Walk(const Masking& masking, int cell) : row(cell / masking.size), column(cell - row * masking.size) {}

  __device__ int distance(const Walk& part) const { return abs(row - part.row) + abs(column - part.column); }

  __device__ void step(const Masking& masking) {
    if (++column == masking.size) {
      column = 0;
      ++row;
    }
  }
};

/// Maps of up to this many cells are made by one warp each, larger ones by a block.
constexpr int kWarpCells = 2048;

/// 16-byte loads and stores need every map to start on such a boundary.
template <typename... Pointers>
bool in_quads(const Masking& masking, const Pointers*... arrays) {
  return masking.plane % kElements == 0 && (... && (arrays == nullptr || is_aligned(arrays, 16)));
}

}  // namespace us::cuda
