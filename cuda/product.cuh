#pragma once

#include <cmath>

#include "device.cuh"
#include "unitscope/matmul.h"

namespace us::cuda {
namespace {

/// Lines of terms that are multiplied with other such lines: the rows of A, the columns of B. Term p of line i lies at
/// data[i * line + p * term]; one of the two distances is 1.
struct Lines {
  const float* data;
  std::int64_t count;
  std::int64_t line;
  std::int64_t term;
  const double* scales;  // what each line is multiplied with as it is read, or NULL
};

/// C = A B, or C + A B: lines of A against lines of B, `depth` terms each.
struct Product {
  Lines a;
  Lines b;
  std::int64_t depth;
  float* c;
  std::int64_t stride;
  bool accumulate;
};

/// A block of kSide x kSide threads makes tiles of C, each thread MICRO x MICRO elements in quads that lie kQuadStep apart.
constexpr int kSide = 16;
constexpr int kQuad = 4;
constexpr int kQuadStep = kSide * kQuad;
/// Terms that are in shared memory at a time; a block of terms is a whole number of them.
constexpr int kStep = 16;
static_assert(kThreads == kSide * kSide && US_PRODUCT_BLOCK % kStep == 0, "the tiles do not fit the blocks");

/// Some terms of a tile's lines, one term of all lines after the other. The quad beyond spreads the writes over the banks.
template <int TILE>
struct SharedLines {
  alignas(16) float values[kStep][TILE + kQuad];
};

/// Lines and terms that are not there are zeros, and take part in no sum that is kept.
template <int TILE>
__device__ void stage(const Lines& from, std::int64_t first_line, std::int64_t first_term, std::int64_t depth,
                      SharedLines<TILE>& to) {
  for (int i = static_cast<int>(threadIdx.x); i < TILE * kStep; i += kThreads) {
    // Neighbouring threads read neighbouring elements.
    const int line = from.line == 1 ? i % TILE : i / kStep;
    const int term = from.line == 1 ? i / TILE : i % kStep;
    const std::int64_t its_line = first_line + line;
    const std::int64_t its_term = first_term + term;
    float value = 0;
    if (its_line < from.count && its_term < depth) {
      value = __ldg(from.data + its_line * from.line + its_term * from.term);
      if (from.scales != nullptr) value = static_cast<float>(static_cast<double>(value) * from.scales[its_line]);
    }
    to.values[term][line] = value;
  }
}

/// A thread's MICRO elements of one staged term.
template <int MICRO, int TILE>
__device__ void fetch(const SharedLines<TILE>& from, int term, int thread, float (&to)[MICRO]) {
  for (int quad = 0; quad < MICRO / kQuad; ++quad) {
    const float4 four = *reinterpret_cast<const float4*>(&from.values[term][quad * kQuadStep + thread * kQuad]);
    to[quad * kQuad] = four.x;
    to[quad * kQuad + 1] = four.y;
    to[quad * kQuad + 2] = four.z;
    to[quad * kQuad + 3] = four.w;
  }
}

/// Where a thread's i-th line of a tile is.
__device__ inline int line_of(int thread, int i) { return i / kQuad * kQuadStep + thread * kQuad + i % kQuad; }

/// The sums of a block of terms go by in registers, from the first term to the last, with one rounding each; then they
/// join C. That is the order of the CPU.
template <int MICRO>
__global__ void product_kernel(Product product) {
  constexpr int kTile = kSide * MICRO;
  __shared__ SharedLines<kTile> rows;
  __shared__ SharedLines<kTile> columns;
  const int down = static_cast<int>(threadIdx.x) / kSide;
  const int across = static_cast<int>(threadIdx.x) % kSide;
  const std::int64_t tiles_across = (product.b.count + kTile - 1) / kTile;
  const std::int64_t tiles = (product.a.count + kTile - 1) / kTile * tiles_across;
  for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const std::int64_t first_row = tile / tiles_across * kTile;
    const std::int64_t first_column = tile % tiles_across * kTile;
    for (std::int64_t block = 0; block < product.depth; block += US_PRODUCT_BLOCK) {
      const std::int64_t rest = product.depth - block;
      const int terms = rest < US_PRODUCT_BLOCK ? static_cast<int>(rest) : US_PRODUCT_BLOCK;
      float sums[MICRO][MICRO] = {};
      for (int step = 0; step < terms; step += kStep) {
        stage(product.a, first_row, block + step, product.depth, rows);
        stage(product.b, first_column, block + step, product.depth, columns);
        __syncthreads();
        const int here = terms - step < kStep ? terms - step : kStep;
        for (int term = 0; term < here; ++term) {
          float left[MICRO];
          float right[MICRO];
          fetch(rows, term, down, left);
          fetch(columns, term, across, right);
          for (int i = 0; i < MICRO; ++i) {
            for (int j = 0; j < MICRO; ++j) sums[i][j] = fmaf(left[i], right[j], sums[i][j]);
          }
        }
        __syncthreads();
      }
      const bool add = product.accumulate || block > 0;
      for (int i = 0; i < MICRO; ++i) {
        const std::int64_t row = first_row + line_of(down, i);
        for (int j = 0; j < MICRO; ++j) {
          const std::int64_t column = first_column + line_of(across, j);
          if (row >= product.a.count || column >= product.b.count) continue;
          float* const to = product.c + row * product.stride + column;
          *to = add ? *to + sums[i][j] : sums[i][j];
        }
      }
    }
  }
}

/// Without terms the sums are 0.
__global__ void clear_kernel(Product product) {
  const std::int64_t count = product.a.count * product.b.count;
  const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    product.c[i / product.b.count * product.stride + i % product.b.count] = 0;
  }
}

/// Queues the product.
inline void multiply(const us_execution* execution, const Product& product) {
  const std::int64_t count = product.a.count * product.b.count;
  if (count == 0) return;
  const cudaStream_t stream = stream_of(execution);
  if (product.depth == 0) {
    if (!product.accumulate) launch(clear_kernel, block_count(count), kThreads, 0, stream, product);
    return;
  }
  const auto tiles = [&](std::int64_t side) {
    return (product.a.count + side - 1) / side * ((product.b.count + side - 1) / side);
  };
  constexpr int kSmall = 4;
  constexpr int kLarge = 8;
  // Large tiles read shared memory half as often, but there must be enough of them for all multiprocessors.
  constexpr std::int64_t kManyTiles = 128;
  if (tiles(kSide * kLarge) >= kManyTiles) {
    launch(product_kernel<kLarge>, block_count(tiles(kSide * kLarge) * kThreads), kThreads, 0, stream, product);
  } else {
    launch(product_kernel<kSmall>, block_count(tiles(kSide * kSmall) * kThreads), kThreads, 0, stream, product);
  }
}

}  // namespace
}  // namespace us::cuda
