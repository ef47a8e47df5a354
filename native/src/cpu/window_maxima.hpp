#pragma once

#include "core/pool2d.hpp"
#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

/// Finds maximum and switch of every window of one row of windows.
///
/// The maximum is separable, and so is the first cell in row-major order that holds it: first the maximum of each
/// window's stretch of every row of the plane, which the windows above and below share, then the maximum of those.
///
/// A row of the plane is taken apart by column modulo stride, with -infinity in the padding, so that the c-th cell of
/// neighbouring windows lies in neighbouring lanes whatever stride and dilation are. A padded cell can never win, since
/// the search starts with the first cell of the window that is on the plane.
class WindowMaxima {
 public:
  /// `x` is the whole array of `planes` planes.
  WindowMaxima(const PoolAxes& axes, const float* x_begin, std::int64_t planes)
      : axes_(axes), begin_(x_begin), end_(x_begin + planes * axes.y.size * axes.x.size) {
    const PoolAxis& x = axes.x;
    for (std::int64_t c = 0; c < x.kernel; ++c) {
      const std::int64_t residue = (c * x.dilation) % x.stride;
      std::int64_t phase = 0;
      while (phase < phases_ && residues_[phase] != residue) ++phase;
      if (phase == phases_) residues_[phases_++] = residue;
      phase_of_[c] = phase;
      shift_of_[c] = (c * x.dilation) / x.stride;
    }
    length_ = x.out_size + shift_of_[x.kernel - 1] + kSlack;
    for (std::int64_t c = 0; c < x.kernel; ++c) offsets_[c] = phase_of_[c] * length_ + shift_of_[c];
    const std::int64_t reach = (axes.y.kernel - 1) * axes.y.dilation + 1;
    slots_ = reach < axes.y.size ? reach : axes.y.size;
    while (left_ < x.out_size && x.first(left_) > 0) ++left_;
    right_ = x.out_size;
    while (right_ > left_ && x.last(right_ - 1) < x.kernel) --right_;
    if (x.dilation == 1 && x.kernel == 2 && x.stride == 2) direct_ = &WindowMaxima::find_directly<2, 2>;
    if (x.dilation == 1 && x.kernel == 3 && x.stride == 2) direct_ = &WindowMaxima::find_directly<3, 2>;
    if (x.dilation == 1 && x.kernel == 3 && x.stride == 1) direct_ = &WindowMaxima::find_directly<3, 1>;
  }

  void layout(Arena& arena) {
    const std::int64_t width = axes_.x.out_size + kSlack;
    split_ = arena.take<float>(phases_ * length_);
    first_cells_ = arena.take<std::int32_t>(width);
    stretches_ = arena.take<Stretches>(slots_);
    maxima_ = arena.take<float>(slots_ * width);
    cells_ = arena.take<std::int32_t>(slots_ * width);
  }

  void prepare() {
    const std::int64_t width = axes_.x.out_size + kSlack;
    for (std::int64_t i = 0; i < phases_ * length_; ++i) split_[i] = -__builtin_inff();
    for (std::int64_t column = 0; column < width; ++column) {
      first_cells_[column] = static_cast<std::int32_t>(column < axes_.x.out_size ? axes_.x.first(column) : 0);
    }
    for (std::int64_t slot = 0; slot < slots_; ++slot) {
      stretches_[slot] = {-1, maxima_ + slot * width, cells_ + slot * width, false};
    }
  }

  void start_plane(const float* plane) {
    plane_ = plane;
    for (std::int64_t slot = 0; slot < slots_; ++slot) stretches_[slot].row = -1;
  }

  /// Writes maxima and switches of a row of windows, in whole vectors: up to kSlack elements past the row's end.
  template <typename Switch>
  void find(std::int64_t window_row, float* maxima, Switch* switches) {
    const std::int64_t first = axes_.y.first(window_row);
    const std::int64_t last = axes_.y.last(window_row);
    Stretches rows[US_MAX_WINDOW_CELLS];
    bool has_nan = false;
    for (std::int64_t r = first; r < last; ++r) {
      rows[r] = stretches_of(axes_.y.start(window_row) + r * axes_.y.dilation);
      has_nan = has_nan || rows[r].has_nan;
    }
    const auto from = static_cast<std::int32_t>(first);
    if (has_nan) return join<true, 0>(rows + first, last - first, from, maxima, switches);
    switch (last - first) {
      case 2:
        return join<false, 2>(rows + first, 2, from, maxima, switches);
      case 3:
        return join<false, 3>(rows + first, 3, from, maxima, switches);
      default:
        return join<false, 0>(rows + first, last - first, from, maxima, switches);
    }
  }

 private:
  /// Of one row of the plane, each window's stretch: its maximum and the column of the kernel that holds it.
  struct Stretches {
    std::int64_t row;
    float* maxima;
    std::int32_t* cells;
    bool has_nan;
  };

  /// Lanes where `value` takes the place of `best`: larger, or the first NaN, whose place nothing takes.
  template <bool HasNan>
  static Ints wins(Floats value, Floats best) {
    if constexpr (HasNan) return ~(value <= best) & (best == best);
    return value > best;
  }

  const Stretches& stretches_of(std::int64_t row) {
    Stretches& made = stretches_[remainder(row, slots_)];
    if (made.row == row) return made;
    made.row = row;
    made.has_nan = false;
    const float* const from = plane_ + row * axes_.x.size;
    if (direct_ != nullptr && (this->*direct_)(from, made)) return made;
    made.has_nan = split(from);
    if (made.has_nan) {
      find_stretches<true>(made);
    } else {
      find_stretches<false>(made);
    }
    return made;
  }

  /// The cells of neighbouring windows without taking the row apart first.
  template <int Kernel, int Stride>
  static void load_cells(const float* from, Floats (&cells)[Kernel]) {
    static_assert(Stride == 1 || Kernel <= 3);
    if constexpr (Stride == 2) {
      load_interleaved(from, cells[0], cells[1]);
      Floats unused;
      if constexpr (Kernel == 3) load_interleaved(from + 2, cells[2], unused);
    } else {
      for (int c = 0; c < Kernel; ++c) cells[c] = load(from + c);
    }
  }

  /// The usual windows, straight from a row of the plane, in whole vectors that run over both its ends. False, and
  /// nothing is found, where they would leave the array or where one of them may hold a NaN.
  template <int Kernel, int Stride>
  bool find_directly(const float* row, const Stretches& into) const {
    const PoolAxis& x = axes_.x;
    const float* const from = row - x.pad;
    const std::int64_t whole = ceil_divide(x.out_size, kLanes) * kLanes;
    if (row - begin_ < x.pad || end_ - row < whole * Stride + Kernel) return false;
    // Copies, since a store of a vector could change any member, for all the compiler knows.
    float* const maxima = into.maxima;
    std::int32_t* const winners = into.cells;
    Ints unordered{};
    for (std::int64_t column = 0; column < whole; column += kLanes) {
      Floats cells[Kernel];
      load_cells<Kernel, Stride>(from + column * Stride, cells);
      Floats best = cells[0];
      Floats sum = cells[0];
      Ints where{};
      for (int c = 1; c < Kernel; ++c) {
        const Ints won = wins<false>(cells[c], best);
        best = won ? cells[c] : best;
        where = won ? splat(c) : where;
        sum += cells[c];
      }
      // NaN if a cell is, or if two are infinities of both signs.
      unordered |= sum != sum;
      store(maxima + column, best);
      store(winners + column, where);
    }
    if (any(unordered)) return false;
    for (std::int64_t column = 0; column < left_; ++column) find_at_side(row, column, into);
    for (std::int64_t column = right_; column < x.out_size; ++column) find_at_side(row, column, into);
    return true;
  }

  /// A window that reaches over an end of the row.
  void find_at_side(const float* row, std::int64_t column, const Stretches& into) const {
    const PoolAxis& x = axes_.x;
    const float* const from = row + x.start(column);
    std::int64_t winner = x.first(column);
    for (std::int64_t c = winner + 1; c < x.last(column); ++c) {
      if (from[c] > from[winner]) winner = c;
    }
    into.maxima[column] = from[winner];
    into.cells[column] = static_cast<std::int32_t>(winner);
  }

  template <bool HasNan>
  void find_stretches(const Stretches& into) const {
    const std::int64_t kernel = axes_.x.kernel;
    for (std::int64_t column = 0; column < axes_.x.out_size; column += kLanes) {
      Floats best = load(split_ + offsets_[0] + column);
      Ints where = load(first_cells_ + column);
      for (std::int64_t c = 1; c < kernel; ++c) {
        const Floats value = load(split_ + offsets_[c] + column);
        const Ints won = wins<HasNan>(value, best);
        best = won ? value : best;
        where = won ? splat(static_cast<std::int32_t>(c)) : where;
      }
      store(into.maxima + column, best);
      store(into.cells + column, where);
    }
  }

  /// The windows' maxima from those of their rows, the first of which is row `first` of the window. Count is the number
  /// of rows where the compiler is to know it, else 0.
  template <bool HasNan, int Count, typename Switch>
  void join(const Stretches* rows, std::int64_t row_count, std::int32_t first, float* maxima, Switch* switches) const {
    constexpr int kMost = Count == 0 ? US_MAX_WINDOW_CELLS : Count;
    const std::int64_t count = Count == 0 ? row_count : Count;
    const std::int64_t width = axes_.x.out_size;
    const auto kernel = static_cast<std::int32_t>(axes_.x.kernel);
    const float* best_of[kMost];
    const std::int32_t* cell_of[kMost];
    for (std::int64_t r = 1; r < count; ++r) {
      best_of[r] = rows[r].maxima;
      cell_of[r] = rows[r].cells;
    }
    const float* const first_maxima = rows[0].maxima;
    const std::int32_t* const first_cells = rows[0].cells;
    for (std::int64_t column = 0; column < width; column += kLanes) {
      Floats best = load(first_maxima + column);
      Ints where = load(first_cells + column);
      for (std::int64_t r = 1; r < count; ++r) {
        const Floats value = load(best_of[r] + column);
        const Ints won = wins<HasNan>(value, best);
        best = won ? value : best;
        where = won ? load(cell_of[r] + column) + splat(static_cast<std::int32_t>(r) * kernel) : where;
      }
      where += splat(first * kernel);
      store(maxima + column, best);
      store(switches + column, where);
    }
  }

  /// Takes a row of the plane apart. True if it may hold a NaN.
  bool split(const float* from) const {
    const PoolAxis& x = axes_.x;
    if (x.stride == 2 && phases_ == 2) return split_in_two(from);
    Ints unordered{};
    std::int64_t i = 0;
    for (; i + kLanes <= x.size; i += kLanes) unordered |= load(from + i) != load(from + i);
    bool has_nan = any(unordered);
    for (; i < x.size; ++i) has_nan = has_nan || from[i] != from[i];
    for (std::int64_t phase = 0; phase < phases_; ++phase) {
      // Element t of the phase is column t * stride + offset of the plane.
      const std::int64_t offset = residues_[phase] - x.pad;
      const std::int64_t begin = offset < 0 ? ceil_divide(-offset, x.stride) : 0;
      const std::int64_t filled = ceil_divide(x.size - offset, x.stride);
      const std::int64_t end = filled < length_ ? filled : length_;
      float* const to = split_ + phase * length_;
      if (x.stride == 1) {
        if (end > begin) copy_row(to + begin, from + begin + offset, end - begin);
      } else {
        for (std::int64_t t = begin; t < end; ++t) to[t] = from[t * x.stride + offset];
      }
    }
    return has_nan;
  }

  /// Element t of the two phases is column 2 * t - pad and the one after it.
  bool split_in_two(const float* from) const {
    const PoolAxis& x = axes_.x;
    float* const even = split_;
    float* const odd = split_ + length_;
    std::int64_t t = x.pad / 2;
    bool has_nan = false;
    if (x.pad % 2 != 0) {
      odd[t++] = from[0];
      has_nan = from[0] != from[0];
    }
    Ints unordered{};
    for (; 2 * t - x.pad + 2 * kLanes <= x.size && t + kLanes <= length_; t += kLanes) {
      Floats first;
      Floats second;
      load_interleaved(from + 2 * t - x.pad, first, second);
      // NaN if one of the two is, or if they are infinities of both signs.
      const Floats sum = first + second;
      unordered |= sum != sum;
      store(even + t, first);
      store(odd + t, second);
    }
    for (; 2 * t - x.pad < x.size && t < length_; ++t) {
      even[t] = from[2 * t - x.pad];
      has_nan = has_nan || even[t] != even[t];
      if (2 * t + 1 - x.pad < x.size) {
        odd[t] = from[2 * t + 1 - x.pad];
        has_nan = has_nan || odd[t] != odd[t];
      }
    }
    return has_nan || any(unordered);
  }

  PoolAxes axes_;
  const float* begin_;
  const float* end_;
  const float* plane_ = nullptr;
  // Windows before left_ and from right_ on reach over an end of the row.
  std::int64_t left_ = 0;
  std::int64_t right_ = 0;
  bool (WindowMaxima::*direct_)(const float* row, const Stretches& into) const = nullptr;
  std::int64_t phases_ = 0;
  std::int64_t length_ = 0;
  std::int64_t slots_ = 0;
  std::int64_t residues_[US_MAX_WINDOW_CELLS] = {};
  std::int64_t phase_of_[US_MAX_WINDOW_CELLS] = {};
  std::int64_t shift_of_[US_MAX_WINDOW_CELLS] = {};
  std::int64_t offsets_[US_MAX_WINDOW_CELLS] = {};
  float* split_ = nullptr;
  std::int32_t* first_cells_ = nullptr;
  Stretches* stretches_ = nullptr;
  float* maxima_ = nullptr;
  std::int32_t* cells_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
