#pragma once

#include "core/pool2d.hpp"
#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

/// Finds maximum and switch of every window of one row of windows.
///
/// The input rows a row of windows needs are kept split by column modulo stride, with -infinity in the padding, so that
/// the c-th cell of neighbouring windows lies in neighbouring lanes whatever stride and dilation are. A padded cell can
/// never win, since the search starts with -infinity at the first cell of the window that is on the plane.
class WindowMaxima {
 public:
  explicit WindowMaxima(const PoolAxes& axes) : axes_(axes) {
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
  }

  void layout(Arena& arena) {
    rows_ = arena.take<float>(slots_ * phases_ * length_);
    held_ = arena.take<std::int64_t>(slots_);
    first_cells_ = arena.take<std::int32_t>(axes_.x.out_size + kSlack);
  }

  void prepare() {
    for (std::int64_t i = 0; i < slots_ * phases_ * length_; ++i) rows_[i] = -__builtin_inff();
    for (std::int64_t column = 0; column < axes_.x.out_size + kSlack; ++column) {
      first_cells_[column] = static_cast<std::int32_t>(column < axes_.x.out_size ? axes_.x.first(column) : 0);
    }
  }

  void start_plane(const float* plane) {
    plane_ = plane;
    for (std::int64_t slot = 0; slot < slots_; ++slot) held_[slot] = -1;
  }

  /// Writes maxima and switches of a row of windows, in whole vectors: up to kSlack elements past the row's end.
  void find(std::int64_t window_row, float* maxima, std::int32_t* switches) {
    const std::int64_t first = axes_.y.first(window_row);
    const std::int64_t last = axes_.y.last(window_row);
    const float* rows[US_MAX_WINDOW_CELLS];
    for (std::int64_t r = first; r < last; ++r) rows[r] = split_row(axes_.y.start(window_row) + r * axes_.y.dilation);
    switch (axes_.x.kernel) {
      case 2:
        return find_in<2>(rows, first, last, maxima, switches);
      case 3:
        return find_in<3>(rows, first, last, maxima, switches);
      default:
        return find_in<0>(rows, first, last, maxima, switches);
    }
  }

 private:
  const float* split_row(std::int64_t row) {
    const std::int64_t slot = remainder(row, slots_);
    float* const split = rows_ + slot * phases_ * length_;
    if (held_[slot] == row) return split;
    held_[slot] = row;
    const PoolAxis& x = axes_.x;
    const float* const from = plane_ + row * x.size;
    if (x.stride == 2 && phases_ == 2) {
      split_in_two(from, split);
      return split;
    }
    for (std::int64_t phase = 0; phase < phases_; ++phase) {
      // Element t of the phase is column t * stride + offset of the plane.
      const std::int64_t offset = residues_[phase] - x.pad;
      const std::int64_t begin = offset < 0 ? ceil_divide(-offset, x.stride) : 0;
      const std::int64_t filled = ceil_divide(x.size - offset, x.stride);
      const std::int64_t end = filled < length_ ? filled : length_;
      float* const to = split + phase * length_;
      if (x.stride == 1) {
        if (end > begin) __builtin_memcpy(to + begin, from + begin + offset, static_cast<std::size_t>(end - begin) * sizeof(float));
      } else {
        for (std::int64_t t = begin; t < end; ++t) to[t] = from[t * x.stride + offset];
      }
    }
    return split;
  }

  /// Element t of the two phases is column 2 * t - pad and the one after it.
  void split_in_two(const float* from, float* split) const {
    const PoolAxis& x = axes_.x;
    float* const even = split;
    float* const odd = split + length_;
    std::int64_t t = x.pad / 2;
    if (x.pad % 2 != 0) odd[t++] = from[0];
    for (; 2 * t - x.pad + 2 * kLanes <= x.size && t + kLanes <= length_; t += kLanes) {
      Floats first;
      Floats second;
      load_interleaved(from + 2 * t - x.pad, first, second);
      store(even + t, first);
      store(odd + t, second);
    }
    for (; 2 * t - x.pad < x.size && t < length_; ++t) {
      even[t] = from[2 * t - x.pad];
      if (2 * t + 1 - x.pad < x.size) odd[t] = from[2 * t + 1 - x.pad];
    }
  }

  template <int Kernel>
  void find_in(const float* const* rows, std::int64_t first, std::int64_t last, float* maxima, std::int32_t* switches) const {
    const std::int64_t kernel = Kernel == 0 ? axes_.x.kernel : Kernel;
    const auto start = splat(static_cast<std::int32_t>(first * kernel));
    // Two vectors at a time: the comparisons of one window depend on each other, those of two do not.
    for (std::int64_t column = 0; column < axes_.x.out_size; column += 2 * kLanes) {
      Floats best0 = splat(-__builtin_inff());
      Floats best1 = best0;
      Ints where0 = load(first_cells_ + column) + start;
      Ints where1 = column + kLanes < axes_.x.out_size ? load(first_cells_ + column + kLanes) + start : where0;
      std::int32_t cell = static_cast<std::int32_t>(first * kernel);
      const std::int64_t second = column + kLanes < axes_.x.out_size ? kLanes : 0;
      for (std::int64_t r = first; r < last; ++r) {
        const float* const row = rows[r] + column;
        for (std::int64_t c = 0; c < kernel; ++c, ++cell) {
          const Floats value0 = load(row + offsets_[c]);
          const Floats value1 = load(row + offsets_[c] + second);
          // Larger, or the first NaN; once the best is a NaN nothing takes its place.
          const Ints wins0 = ~(value0 <= best0) & (best0 == best0);
          const Ints wins1 = ~(value1 <= best1) & (best1 == best1);
          best0 = wins0 ? value0 : best0;
          best1 = wins1 ? value1 : best1;
          where0 = wins0 ? splat(cell) : where0;
          where1 = wins1 ? splat(cell) : where1;
        }
      }
      store(maxima + column, best0);
      store(switches + column, where0);
      if (second != 0) {
        store(maxima + column + kLanes, best1);
        store(switches + column + kLanes, where1);
      }
    }
  }

  PoolAxes axes_;
  const float* plane_ = nullptr;
  std::int64_t phases_ = 0;
  std::int64_t length_ = 0;
  std::int64_t slots_ = 0;
  std::int64_t residues_[US_MAX_WINDOW_CELLS] = {};
  std::int64_t phase_of_[US_MAX_WINDOW_CELLS] = {};
  std::int64_t shift_of_[US_MAX_WINDOW_CELLS] = {};
  std::int64_t offsets_[US_MAX_WINDOW_CELLS] = {};
  float* rows_ = nullptr;
  std::int64_t* held_ = nullptr;
  std::int32_t* first_cells_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
