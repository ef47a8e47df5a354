#pragma once

#include "core/mutual_information.hpp"
#include "cpu/exponential.hpp"
#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

/// Sums maps under all templates, one map per lane, in a number of additions per cell that does not depend on n.
///
/// Any function f of |i| + |j| satisfies the wave equation f(i+1,j) + f(i-1,j) = f(i,j-1) + f(i,j+1) off the two axes.
/// On them the sides differ by f(d-1) - f(d+1), d being the distance from the origin and not 0, with opposite signs on
/// the two; for a pyramid of height k that is 2 below d = k and 1 at k. So the correlation c of a map x with the
/// pyramid follows row from row,
///
///   c(i+1,j) = c(i,j-1) + c(i,j+1) - c(i-1,j) + column(i,j) - row(i,j)
///
/// where row(i,j) = sum_j' x(i,j') weight(|j-j'|) is the difference of two running sums, and column(i,j) likewise; the
/// cell itself, which is in both, cancels. c has to be known above and beside the map too, as far as it is not 0 and
/// still reaches the map. A rounding error spreads as the wave does, with its size unchanged: what reaches a cell is at
/// most one error of each cell of the quadrant above, of the size of 2^-53 sum|x|.
class ConeCorrelation {
 public:
  ConeCorrelation(const Cone& cone, double tau)
      : cone_(cone), tau_(tau), scale_(tau * cone.step), level_(tau * cone.level) {}

  void layout(Arena& arena) {
    const std::int64_t n = cone_.size;
    const std::int64_t row = n + 2 * (cone_.height + 1);
    const bool mixed = cone_.share != 1;
    along_ = arena.take<Doubles>(row);
    columns_ = arena.take<Doubles>((n + kMargins) * n);
    along_ahead_ = mixed ? arena.take<Doubles>(row) : along_;
    along_behind_ = mixed ? arena.take<Doubles>(row) : along_;
    columns_ahead_ = mixed ? arena.take<Doubles>((n + kMargins) * n) : columns_;
    columns_behind_ = mixed ? arena.take<Doubles>((n + kMargins) * n) : columns_;
    for (Doubles*& wave : waves_) wave = arena.take<Doubles>(n + 2 * cone_.height);
  }

  /// out[T] = sum_ij in[ij] T_ij - tau * extra for the n^2 positive templates T. `in` and `out` have n^2 elements and
  /// may not be the same. Returns sum_ij in[ij] + extra. NaN or an infinity in a lane of `in` makes the whole lane NaN.
  Doubles run(const Doubles* in, Doubles extra, Doubles* out) {
    const std::int64_t n = cone_.size;
    const std::int64_t height = cone_.height;
    const Doubles sum = sum_columns(in);
    // A sum that is not finite less itself is NaN.
    const Doubles total = sum + extra + (sum - sum);
    const Doubles rest = sum * level_ - total * tau_;
    for (Doubles* const wave : waves_) fill(wave, n + 2 * height, Doubles{});
    Doubles* current = waves_[0] + height;
    Doubles* next = waves_[1] + height;
    for (std::int64_t row = 1 - height; row < n; ++row) {
      const std::int64_t not_zero = height - 1 + (row < 0 ? row : 0);
      const std::int64_t reaches = n - 1 - row;
      const std::int64_t beside = not_zero < reaches ? not_zero : reaches;
      if (row > 0) {
        sum_row(in + (row - 1) * n);
        advance<true>(row - 1, beside, current, next);
      } else {
        advance<false>(row - 1, beside, current, next);
      }
      if (row >= 0) {
        Doubles* const to = out + row * n;
        US_UNROLL
        for (std::int64_t j = 0; j < n; ++j) to[j] = next[j] * scale_ + rest;
      }
      Doubles* const last = current;
      current = next;
      next = last;
    }
    return total;
  }

 private:
  // Running sums S(t) = sum of the elements before t plus that of those up to t: 0 below t = 0, twice the whole sum
  // from t = n on. sum_j' x(j') weight(|j-j'|) = S(j + height) - S(j - height).
  static constexpr std::int64_t kMargin = 2;
  static constexpr std::int64_t kMargins = 2 * kMargin;

  static void fill(Doubles* to, std::int64_t count, Doubles value) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = value;
  }

  /// The sums of the columns, for t from -2 to n + 1.
  const Doubles* column_sums(const Doubles* sums, std::int64_t t) const {
    const std::int64_t last = cone_.size + 1;
    return sums + ((t < -kMargin ? -kMargin : t > last ? last : t) + kMargin) * cone_.size;
  }

  /// Row i + 1 of the correlation from the two rows before, on the map's columns and `beside` to either side.
  template <bool OnMap>
  void advance(std::int64_t i, std::int64_t beside, const Doubles* current, Doubles* next) const {
    const std::int64_t n = cone_.size;
    const std::int64_t height = cone_.height;
    const Doubles* const below = column_sums(columns_ahead_, i + height);
    const Doubles* const above = column_sums(columns_behind_, i - height);
    const Doubles* const right = along_ahead_ + height + 1 + height;
    const Doubles* const left = along_behind_ + height + 1 - height;
    const Doubles whole = right[n];
    US_UNROLL
    for (std::int64_t j = -beside; j < 0; ++j) {
      const Doubles wave = current[j - 1] + current[j + 1] - next[j];
      next[j] = OnMap ? wave - right[j] : wave;
    }
    US_UNROLL
    for (std::int64_t j = 0; j < n; ++j) {
      const Doubles wave = (current[j - 1] + current[j + 1] - next[j]) + (below[j] - above[j]);
      next[j] = OnMap ? wave - (right[j] - left[j]) : wave;
    }
    US_UNROLL
    for (std::int64_t j = n; j < n + beside; ++j) {
      const Doubles wave = current[j - 1] + current[j + 1] - next[j];
      next[j] = OnMap ? wave - (whole - left[j]) : wave;
    }
  }

  /// Running sums of a row, for t from -height - 1 to n + height.
  void sum_row(const Doubles* in) {
    const std::int64_t n = cone_.size;
    const std::int64_t margin = cone_.height + 1;
    Doubles* const to = along_ + margin;
    Doubles sum{};
    fill(along_, margin, sum);
    // Two elements at a time, since every addition waits for the one before.
    std::int64_t j = 0;
    US_UNROLL
    for (; j + 2 <= n; j += 2) {
      const Doubles both = sum + (in[j] + in[j + 1]);
      const Doubles longer = sum + in[j];
      to[j] = sum + longer;
      to[j + 1] = longer + both;
      sum = both;
    }
    if (j < n) {
      const Doubles longer = sum + in[j];
      to[j] = sum + longer;
      sum = longer;
    }
    fill(to + n, margin, sum * 2.0);
    if (along_ != along_ahead_) mix(along_, 1, n + 2 * margin, along_ahead_, along_behind_);
  }

  /// Running sums of every column; returns the sum of all.
  Doubles sum_columns(const Doubles* in) {
    const std::int64_t n = cone_.size;
    Doubles total{};
    fill(columns_, kMargin * n, Doubles{});
    for (std::int64_t j = 0; j < n; ++j) columns_[kMargin * n + j] = in[j];
    for (std::int64_t i = 1; i < n; ++i) {
      Doubles* const to = columns_ + (kMargin + i) * n;
      US_UNROLL
      for (std::int64_t j = 0; j < n; ++j) to[j] = to[j - n] + (in[(i - 1) * n + j] + in[i * n + j]);
    }
    for (std::int64_t j = 0; j < n; ++j) {
      Doubles* const to = columns_ + (kMargin + n) * n + j;
      to[0] = to[n] = to[-n] + in[(n - 1) * n + j];
      total += to[0];
    }
    if (columns_ != columns_ahead_) mix(columns_, n, (n + kMargins) * n, columns_ahead_, columns_behind_);
    return total * 0.5;
  }

  /// The sums for two pyramids at once: the lower one's lie one element nearer.
  void mix(const Doubles* sums, std::int64_t stride, std::int64_t length, Doubles* ahead, Doubles* behind) const {
    const double high = cone_.share;
    const double low = 1 - high;
    for (std::int64_t i = 0; i < stride; ++i) {
      ahead[i] = sums[i];
      behind[length - stride + i] = sums[length - stride + i];
    }
    US_UNROLL
    for (std::int64_t i = stride; i < length; ++i) {
      const Doubles here = sums[i];
      const Doubles before = sums[i - stride];
      ahead[i] = here * high + before * low;
      behind[i - stride] = before * high + here * low;
    }
  }

  Cone cone_;
  double tau_;
  double scale_;
  double level_;
  Doubles* along_ = nullptr;
  Doubles* columns_ = nullptr;
  Doubles* along_ahead_ = nullptr;
  Doubles* along_behind_ = nullptr;
  Doubles* columns_ahead_ = nullptr;
  Doubles* columns_behind_ = nullptr;
  Doubles* waves_[2] = {};
};

}  // namespace
}  // namespace us::cpu::US_ISA
