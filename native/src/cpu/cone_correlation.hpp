#pragma once

#include "core/mutual_information.hpp"
#include "cpu/exponential.hpp"
#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

/// Correlates maps with the cone, one map per lane: out[i,j] = sum of in[i',j'] cone(|i - i'| + |j - j'|).
///
/// From row to row the cone's second difference is a bar on the row of its tip and two rings (|i'| + |j'| constant) at
/// its foot. The bar is a difference of running sums along the row, each ring eight of running sums along the diagonals,
/// so a cell costs the same however wide the cone is; adding the differences up twice gives the correlation.
class ConeCorrelation {
 public:
  explicit ConeCorrelation(const Cone& cone) : cone_(cone) {}

  void layout(Arena& arena) {
    const std::int64_t n = cone_.size;
    const std::int64_t steps = (n + cone_.radius) * n * kCorners;
    inner_ = arena.take<std::int32_t>(cone_.inner_ring != 0 ? steps : 0);
    outer_ = arena.take<std::int32_t>(steps);
    falling_ = arena.take<Doubles>(n * n + 1);
    rising_ = arena.take<Doubles>(n * n + 1);
    along_ = arena.take<Doubles>(n + 1);
    previous_ = arena.take<Doubles>(n);
    current_ = arena.take<Doubles>(n);
  }

  /// Finds where the rings' edges begin and end, once for all maps.
  void prepare() {
    if (cone_.radius > 0 && cone_.inner_ring != 0) find_edges(cone_.radius, inner_);
    find_edges(cone_.radius + 1, outer_);
  }

  /// `in` and `out` have n^2 elements and may not be the same.
  void run(const Doubles* in, Doubles* out) {
    const std::int64_t n = cone_.size;
    sum_diagonals(in);
    for (std::int64_t j = 0; j < n; ++j) previous_[j] = current_[j] = Doubles{};
    for (std::int64_t row = -(cone_.radius + 1); row < n - 1; ++row) {
      if (row >= 0) sum_row(in + row * n);
      for (std::int64_t j = 0; j < n; ++j) {
        const Doubles change = second_difference(in, row, j);
        const Doubles next = current_[j] + (current_[j] - previous_[j]) + change;
        previous_[j] = current_[j];
        current_[j] = next;
        if (row >= -1) out[(row + 1) * n + j] = next;
      }
    }
  }

 private:
  // A ring has four edges, each the difference of two running sums. Those below the tip come first.
  static constexpr std::int64_t kCorners = 8;

  Doubles second_difference(const Doubles* in, std::int64_t row, std::int64_t j) const {
    const std::int64_t n = cone_.size;
    const std::int64_t radius = cone_.radius;
    const std::int64_t at = ((row + radius + 1) * n + j) * kCorners;
    Doubles sum = ring(outer_ + at, row > 0) * cone_.foot;
    if (radius > 0 && cone_.inner_ring != 0) sum += ring(inner_ + at, row > 0) * cone_.inner_ring;
    if (row < 0) return sum;
    if (radius == 0) return sum - in[row * n + j] * (2 * cone_.foot);
    const std::int64_t first = j - radius + 1;
    const std::int64_t last = j + radius;
    const Doubles bar = along_[last < n ? last : n] - along_[first > 0 ? first : 0];
    Doubles ends = Doubles{};
    if (j - radius >= 0) ends += in[row * n + j - radius];
    if (j + radius < n) ends += in[row * n + j + radius];
    return sum - (bar * cone_.step + ends * cone_.foot) * 2.0;
  }

  /// The sum of the map over a ring around the cell, but for the ring's two cells on the cell's own row.
  Doubles ring(const std::int32_t* corners, bool above) const {
    Doubles sum = (falling_[corners[0]] - falling_[corners[1]]) + (rising_[corners[2]] - rising_[corners[3]]);
    if (above) sum += (falling_[corners[4]] - falling_[corners[5]]) + (rising_[corners[6]] - rising_[corners[7]]);
    return sum;
  }

  void sum_diagonals(const Doubles* in) {
    const std::int64_t n = cone_.size;
    for (std::int64_t j = 0; j < n; ++j) falling_[j] = rising_[j] = in[j];
    for (std::int64_t i = 1; i < n; ++i) {
      const Doubles* const from = in + i * n;
      Doubles* const falling = falling_ + i * n;
      Doubles* const rising = rising_ + i * n;
      falling[0] = from[0];
      rising[n - 1] = from[n - 1];
      for (std::int64_t j = 1; j < n; ++j) falling[j] = from[j] + falling[j - 1 - n];
      for (std::int64_t j = 0; j < n - 1; ++j) rising[j] = from[j] + rising[j + 1 - n];
    }
    // What lies outside the map.
    falling_[n * n] = rising_[n * n] = Doubles{};
  }

  void sum_row(const Doubles* in) {
    along_[0] = Doubles{};
    for (std::int64_t j = 0; j < cone_.size; ++j) along_[j + 1] = along_[j] + in[j];
  }

  void find_edges(std::int64_t ring, std::int32_t* to) const {
    const std::int64_t n = cone_.size;
    for (std::int64_t row = -(cone_.radius + 1); row < n - 1; ++row) {
      for (std::int64_t j = 0; j < n; ++j, to += kCorners) {
        find_edge(row + 1, j - ring + 1, 1, ring - 1, to);
        find_edge(row + 1, j + ring - 1, -1, ring, to + 2);
        find_edge(row - ring, j, 1, ring, to + 4);
        find_edge(row - ring + 1, j - 1, -1, ring - 1, to + 6);
      }
    }
  }

  /// The running sums at the end of a diagonal of `length` cells and before its start, as far as it is on the map.
  void find_edge(std::int64_t row, std::int64_t column, std::int64_t direction, std::int64_t length, std::int32_t* to) const {
    const std::int64_t n = cone_.size;
    const std::int64_t entry = direction > 0 ? -column : column - n + 1;
    const std::int64_t exit = direction > 0 ? n - column : column + 1;
    std::int64_t begin = row < 0 ? -row : 0;
    begin = entry > begin ? entry : begin;
    std::int64_t end = n - row < length ? n - row : length;
    end = exit < end ? exit : end;
    const auto place = [&](std::int64_t step) {
      const std::int64_t i = row + step;
      const std::int64_t j = column + direction * step;
      return static_cast<std::int32_t>(i >= 0 && i < n && j >= 0 && j < n ? i * n + j : n * n);
    };
    to[0] = begin < end ? place(end - 1) : static_cast<std::int32_t>(n * n);
    to[1] = begin < end ? place(begin - 1) : static_cast<std::int32_t>(n * n);
  }

  Cone cone_;
  std::int32_t* inner_ = nullptr;
  std::int32_t* outer_ = nullptr;
  Doubles* falling_ = nullptr;
  Doubles* rising_ = nullptr;
  Doubles* along_ = nullptr;
  Doubles* previous_ = nullptr;
  Doubles* current_ = nullptr;
};

/// One map per lane: lane l takes the n^2 floats at maps + l * distance. Lanes from `lanes` on are 0.
inline void gather_maps(const float* maps, std::int64_t distance, std::int64_t lanes, std::int64_t cells, Doubles* to) {
  if (lanes == kDoubleLanes) {
    for (std::int64_t cell = 0; cell < cells; ++cell) {
      Doubles values{};
      for (std::int64_t lane = 0; lane < kDoubleLanes; ++lane) values[lane] = maps[lane * distance + cell];
      to[cell] = values;
    }
    return;
  }
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    Doubles values{};
    for (std::int64_t lane = 0; lane < lanes; ++lane) values[lane] = maps[lane * distance + cell];
    to[cell] = values;
  }
}

/// The opposite: element `cell` of lane l goes to maps + l * distance + cell.
inline void scatter_maps(const Doubles* from, std::int64_t distance, std::int64_t lanes, std::int64_t cells, float* maps) {
  if (lanes == kDoubleLanes) {
    for (std::int64_t lane = 0; lane < kDoubleLanes; ++lane) {
      for (std::int64_t cell = 0; cell < cells; ++cell) maps[lane * distance + cell] = static_cast<float>(from[cell][lane]);
    }
    return;
  }
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    for (std::int64_t cell = 0; cell < cells; ++cell) maps[lane * distance + cell] = static_cast<float>(from[cell][lane]);
  }
}

/// The sums of n^2 + 1 templates and of n^2 cells are the same two terms: tau * (correlation - total). A map with NaN or
/// an infinity makes `total` such, and total - total spreads that to every cell.
inline Doubles spoil(Doubles total) { return total - total; }

}  // namespace
}  // namespace us::cpu::US_ISA
