#pragma once

#include "cpu/exponential.hpp"
#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

/// max(1 - slope * (|i - row| + |j - column|), -1) for the cells [i,j] of a map, one template per lane. NaN for a peak
/// or a slope that is NaN.
class LaneTemplate {
 public:
  void layout(Arena& arena, std::int64_t size) {
    size_ = size;
    columns_ = arena.take<Doubles>(size);
  }

  void place(Doubles row, Doubles column, Doubles slope) {
    row_ = row;
    slope_ = slope;
    for (std::int64_t j = 0; j < size_; ++j) columns_[j] = magnitude(static_cast<double>(j) - column) * slope;
  }

  /// What `at` needs of row i.
  Doubles row(std::int64_t i) const { return 1.0 - magnitude(static_cast<double>(i) - row_) * slope_; }

  Doubles at(Doubles row, std::int64_t j) const { return larger(splat_double(-1), row - columns_[j]); }

  /// to[cell] = -factor * template.
  void subtract(Doubles factor, Doubles* to) const {
    for (std::int64_t i = 0; i < size_; ++i, to += size_) {
      const Doubles height = row(i);
      US_UNROLL
      for (std::int64_t j = 0; j < size_; ++j) to[j] = 0.0 - at(height, j) * factor;
    }
  }

 private:
  static Doubles magnitude(Doubles x) { return larger(x, 0.0 - x); }

  std::int64_t size_ = 0;
  Doubles row_{};
  Doubles slope_{};
  Doubles* columns_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
