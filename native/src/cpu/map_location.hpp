#pragma once

#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

/// The first NaN, or else the first of the largest values.
inline std::int32_t first_maximum_one_by_one(const float* values, std::int64_t count) {
  std::int64_t best = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (values[i] != values[i]) return static_cast<std::int32_t>(i);
    if (values[i] > values[best]) best = i;
  }
  return static_cast<std::int32_t>(best);
}

inline std::int32_t first_maximum(const float* values, std::int64_t count) {
  if (count < kLanes) return first_maximum_one_by_one(values, count);
  Ints index = {};
  for (std::int64_t lane = 0; lane < kLanes; ++lane) index[lane] = static_cast<std::int32_t>(lane);
  const Ints lanes = index;
  Floats best = load(values);
  Ints best_index = index;
  Ints not_numbers = best != best;
  const auto consider = [&](std::int64_t at) {
    const Floats next = load(values + at);
    index = lanes + static_cast<std::int32_t>(at);
    const Ints larger = next > best;
    best = larger ? next : best;
    best_index = larger ? index : best_index;
    not_numbers |= next != next;
  };
  std::int64_t at = kLanes;
  for (; at + kLanes <= count; at += kLanes) consider(at);
  // Values that are seen twice change nothing: they are not larger than themselves.
  if (at < count) consider(count - kLanes);
  if (any(not_numbers)) return first_maximum_one_by_one(values, count);
  float largest = best[0];
  std::int32_t first = best_index[0];
  for (std::int64_t lane = 1; lane < kLanes; ++lane) {
    const bool wins = best[lane] > largest || (best[lane] == largest && best_index[lane] < first);
    largest = wins ? best[lane] : largest;
    first = wins ? best_index[lane] : first;
  }
  return first;
}

/// The cell, counted from 0, of a mean that counts from 1.
inline std::int64_t rounded_cell(double weighted, double total, std::int64_t size) {
  const double mean = weighted / (total > 1e-9 ? total : 1e-9) + 0.5;
  if (!(mean >= 1)) return 0;
  if (mean >= static_cast<double>(size)) return size - 1;
  return static_cast<std::int64_t>(mean) - 1;
}

/// The rounded centroid. `columns` and `weighted_columns` are scratch for a row each. The order of the sums does not
/// depend on the width of vectors.
inline std::int32_t rounded_centroid(const float* values, std::int64_t size, double* columns, double* weighted_columns) {
  for (std::int64_t column = 0; column < size; ++column) columns[column] = weighted_columns[column] = 0;
  for (std::int64_t row = 0; row < size; ++row, values += size) {
    const auto weight = static_cast<double>(row + 1);
    for (std::int64_t column = 0; column < size; ++column) {
      const auto value = static_cast<double>(values[column]);
      columns[column] += value;
      weighted_columns[column] += weight * value;
    }
  }
  double total = 0;
  double by_row = 0;
  double by_column = 0;
  for (std::int64_t column = 0; column < size; ++column) {
    total += columns[column];
    by_row += weighted_columns[column];
    by_column += static_cast<double>(column + 1) * columns[column];
  }
  return static_cast<std::int32_t>(rounded_cell(by_row, total, size) * size + rounded_cell(by_column, total, size));
}

}  // namespace
}  // namespace us::cpu::US_ISA
