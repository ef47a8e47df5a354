#pragma once

#include "cpu/exponential.hpp"
#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

using Quad [[gnu::vector_size(16)]] = float;
using UnalignedQuad [[gnu::vector_size(16), gnu::aligned(4), gnu::may_alias]] = float;
using QuadOfDoubles [[gnu::vector_size(32)]] = double;
// Part of a Doubles.
using DoublesPart [[gnu::vector_size(32), gnu::aligned(16), gnu::may_alias]] = double;

/// Four rows of four become four columns.
inline void transpose(Quad& a, Quad& b, Quad& c, Quad& d) {
  const Quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Quad ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Quad cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Quad cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

/// Asks for memory that will be read or written soon.
inline void prefetch(const float* from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kCacheLine / 4) __builtin_prefetch(from + i);
}

/// How many cells gather_maps and scatter_maps take four at a time, four maps at a time.
inline std::int64_t transposed_cells(std::int64_t lanes, std::int64_t cells) {
  return kDoubleLanes % 4 == 0 && lanes == kDoubleLanes ? cells / 4 * 4 : 0;
}

/// One map per lane: lane l takes the floats at maps + l * distance; `distance` may be negative. Lanes from `lanes` on
/// are 0.
inline void gather_maps(const float* maps, std::int64_t distance, std::int64_t lanes, std::int64_t cells, Doubles* to) {
  const std::int64_t transposed = transposed_cells(lanes, cells);
  for (std::int64_t lane = 0; lane < kDoubleLanes && transposed > 0; lane += 4) {
    const float* const from = maps + lane * distance;
    auto* const part = reinterpret_cast<double*>(to) + lane;
    for (std::int64_t cell = 0; cell < transposed; cell += 4) {
      Quad rows[4];
      for (int row = 0; row < 4; ++row) {
        rows[row] = *reinterpret_cast<const UnalignedQuad*>(from + row * distance + cell);
      }
      transpose(rows[0], rows[1], rows[2], rows[3]);
      for (int row = 0; row < 4; ++row) {
        auto* const values = reinterpret_cast<DoublesPart*>(part + (cell + row) * kDoubleLanes);
        *values = __builtin_convertvector(rows[row], QuadOfDoubles);
      }
    }
  }
  for (std::int64_t cell = transposed; cell < cells; ++cell) {
    Doubles values{};
    for (std::int64_t lane = 0; lane < lanes; ++lane) values[lane] = maps[lane * distance + cell];
    to[cell] = values;
  }
}

/// The opposite: element `cell` of lane l goes to maps + l * distance + cell.
inline void scatter_maps(const Doubles* from, std::int64_t distance, std::int64_t lanes, std::int64_t cells,
                         float* maps) {
  const std::int64_t transposed = transposed_cells(lanes, cells);
  for (std::int64_t lane = 0; lane < kDoubleLanes && transposed > 0; lane += 4) {
    float* const to = maps + lane * distance;
    const auto* const part = reinterpret_cast<const double*>(from) + lane;
    for (std::int64_t cell = 0; cell < transposed; cell += 4) {
      Quad rows[4];
      for (int row = 0; row < 4; ++row) {
        const QuadOfDoubles values = *reinterpret_cast<const DoublesPart*>(part + (cell + row) * kDoubleLanes);
        rows[row] = __builtin_convertvector(values, Quad);
      }
      transpose(rows[0], rows[1], rows[2], rows[3]);
      for (int row = 0; row < 4; ++row) *reinterpret_cast<UnalignedQuad*>(to + row * distance + cell) = rows[row];
    }
  }
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    for (std::int64_t cell = transposed; cell < cells; ++cell) {
      maps[lane * distance + cell] = static_cast<float>(from[cell][lane]);
    }
  }
}

}  // namespace
}  // namespace us::cpu::US_ISA
