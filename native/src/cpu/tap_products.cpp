#include "cpu/isa.hpp"
#include "cpu/simd.hpp"

namespace us::cpu::US_ISA {
namespace {

// Registers hold the sums of a tile: some rows, each with some columns, a vector of partial sums for every pair.
constexpr std::int64_t kRows = 4;
#if defined(__AVX512F__)
constexpr std::int64_t kColumns = 6;
#else
constexpr std::int64_t kColumns = 3;
#endif

/// The lanes added up pairwise, so that the order does not depend on the compiler.
inline float sum_of(Floats values) {
  float lanes[kLanes];
  store(lanes, values);
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::int64_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

template <std::int64_t Rows, std::int64_t Columns>
void add_tile(const TapProducts& work, std::int64_t first_row, std::int64_t first_column) {
  const float* rows[Rows];
  for (std::int64_t r = 0; r < Rows; ++r) rows[r] = work.rows + (first_row + r) * work.length;
  const std::int64_t channels = first_row / work.rows_per_group * work.channels_per_group;
  const float* columns[Columns];
  for (std::int64_t c = 0; c < Columns; ++c) {
    const std::int64_t channel = channels + (first_column + c) / work.taps;
    columns[c] = work.channels + channel * work.channel_size + work.shifts[(first_column + c) % work.taps];
  }
  Floats sums[Rows][Columns] = {};
  for (std::int64_t i = 0; i < work.length; i += kLanes) {
    Floats left[Rows];
#pragma GCC unroll 8
    for (std::int64_t r = 0; r < Rows; ++r) left[r] = load(rows[r] + i);
#pragma GCC unroll 8
    for (std::int64_t c = 0; c < Columns; ++c) {
      const Floats right = load(columns[c] + i);
#pragma GCC unroll 8
      for (std::int64_t r = 0; r < Rows; ++r) sums[r][c] = multiply_add(left[r], right, sums[r][c]);
    }
  }
  const std::int64_t width = work.channels_per_group * work.taps;
  for (std::int64_t r = 0; r < Rows; ++r) {
    float* const to = work.sums + (first_row + r) * width + first_column;
    for (std::int64_t c = 0; c < Columns; ++c) to[c] += sum_of(sums[r][c]);
  }
}

template <std::int64_t Rows>
void add_columns(const TapProducts& work, std::int64_t row) {
  const std::int64_t columns = work.channels_per_group * work.taps;
  std::int64_t column = 0;
  for (; column + kColumns <= columns; column += kColumns) add_tile<Rows, kColumns>(work, row, column);
  for (; column + 3 <= columns; column += 3) add_tile<Rows, 3>(work, row, column);
  for (; column < columns; ++column) add_tile<Rows, 1>(work, row, column);
}

}  // namespace

us_status tap_products(const TapProducts& work, std::int64_t begin, std::int64_t end) {
  std::int64_t row = begin;
  while (row < end) {
    const std::int64_t group_end = (row / work.rows_per_group + 1) * work.rows_per_group;
    const std::int64_t last = group_end < end ? group_end : end;
    for (; row + kRows <= last; row += kRows) add_columns<kRows>(work, row);
    for (; row < last; ++row) add_columns<1>(work, row);
  }
  return US_OK;
}

}  // namespace us::cpu::US_ISA
