#pragma once

#include "core/pool2d.hpp"
#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

/// Makes one row of the unpooled plane from the rows of windows that reach it.
///
/// Gathering instead of scattering: cell i collects from every window that holds it and whose switch names it, in
/// row-major order of the windows. So a row is written once, in order, rows are independent of each other, and lanes
/// hold neighbouring windows. The columns of the row are made split by column modulo stride.
class UnpooledRows {
 public:
  explicit UnpooledRows(const PoolAxes& axes) : axes_(axes) {
    const PoolAxis& x = axes.x;
    // The stride-2 path writes both phases, also where a plane of one column has no second.
    phases_ = x.stride < x.size || x.stride == 2 ? x.stride : x.size;
    columns_ = ceil_divide(x.size, x.stride);
    std::int64_t least = 0;
    for (std::int64_t c = 0; c < x.kernel; ++c) {
      const std::int64_t at = c * x.dilation - x.pad;
      shift_of_[c] = floor_divide(at, x.stride);
      phase_of_[c] = at - shift_of_[c] * x.stride;
      if (shift_of_[c] > margin_) margin_ = shift_of_[c];
      if (shift_of_[c] < least) least = shift_of_[c];
    }
    const std::int64_t reach = columns_ - least;
    length_ = margin_ + (reach > x.out_size ? reach : x.out_size) + kSlack;
    slots_ = (axes.y.kernel - 1) * axes.y.dilation / axes.y.stride + 1;
    if (slots_ > axes.y.out_size) slots_ = axes.y.out_size;
  }

  void layout(Arena& arena) {
    // Pieces of an arena follow each other by whole cache lines.
    distance_ = ceil_divide(slots_ * length_, kLine) * kLine;
    values_ = arena.take<float>(2 * distance_);
    switches_ = values_ == nullptr ? nullptr : reinterpret_cast<std::int32_t*>(values_ + distance_);
    held_ = arena.take<std::int64_t>(slots_);
    reaching_ = arena.take<Range>(axes_.y.size);
    columns_of_ = arena.take<Column>(axes_.x.kernel);
    first_of_ = arena.take<std::int32_t>(phases_ + 1);
    split_ = arena.take<float>(axes_.x.stride > 2 ? phases_ * (columns_ + kSlack) : 0);
  }

  void prepare() {
    for (std::int64_t i = 0; i < slots_ * length_; ++i) {
      values_[i] = 0;
      switches_[i] = kNoSwitch;
    }
    find_reaching();
    sort_columns();
    start_plane();
  }

  void start_plane() {
    for (std::int64_t slot = 0; slot < slots_; ++slot) held_[slot] = -1;
  }

  /// Where `load` puts the values and switches of a row of windows. It may write up to kSlack elements past their end.
  struct WindowRow {
    float* values;
    std::int32_t* switches;
  };

  /// Calls `load(window_row, WindowRow)` for every row of windows that reaches `row` and is not there yet, then writes
  /// the row in whole vectors: up to 2 * kSlack elements past its end.
  template <bool Accumulate, typename Load>
  us_status make(std::int64_t row, float* to, const Load& load) {
    const PoolAxis& y = axes_.y;
    const Range reaching = reaching_[row];
    Source sources[US_MAX_WINDOW_CELLS];
    std::int64_t count = 0;
    for (std::int64_t window = reaching.begin; window < reaching.end; ++window) {
      std::int64_t r = row - y.start(window);
      if (y.dilation > 1) {
        if (r % y.dilation != 0) continue;
        r /= y.dilation;
      }
      const std::int64_t slot = remainder(window, slots_);
      const std::int64_t at = slot * length_ + margin_;
      if (held_[slot] != window) {
        held_[slot] = window;
        const us_status status = load(window, WindowRow{values_ + at, switches_ + at});
        if (status != US_OK) return status;
        clear_margin(switches_ + at);
      }
      sources[count++] = {at, static_cast<std::int32_t>(r * axes_.x.kernel)};
    }
    write<Accumulate>(sources, count, to);
    return US_OK;
  }

 private:
  static constexpr std::int32_t kNoSwitch = -1;
  static constexpr std::int64_t kLine = kCacheLine / std::int64_t{sizeof(float)};

  struct Range {
    std::int32_t begin;
    std::int32_t end;
  };

  /// A row of windows that reaches the row: where it lies in values_ and switches_, and its first cell of the row.
  struct Source {
    std::int64_t at;
    std::int32_t first_cell;
  };

  /// A column of the kernel, and how many windows to the left of a cell's own number it finds the cell.
  struct Column {
    std::int64_t shift;
    std::int32_t column;
  };

  /// Cells collect from `values` where the switches, `distance_` elements further on, say `cell`. One pointer for both,
  /// so that the pointers of nine terms fit the registers.
  struct Term {
    const float* values;
    std::int32_t cell;
  };

  /// The rows of windows that reach each row of the plane.
  void find_reaching() {
    const PoolAxis& y = axes_.y;
    const std::int64_t reach = (y.kernel - 1) * y.dilation;
    for (std::int64_t row = 0; row < y.size; ++row) {
      const std::int64_t begin = ceil_divide(row + y.pad - reach, y.stride);
      const std::int64_t end = floor_divide(row + y.pad, y.stride) + 1;
      reaching_[row] = {static_cast<std::int32_t>(begin < 0 ? 0 : begin),
                        static_cast<std::int32_t>(end < y.out_size ? end : y.out_size)};
    }
  }

  /// Sorts the columns of the kernel by phase; within one the last comes first, whose window is the leftmost.
  void sort_columns() {
    std::int32_t made = 0;
    for (std::int64_t phase = 0; phase < phases_; ++phase) {
      first_of_[phase] = made;
      for (std::int64_t c = axes_.x.kernel - 1; c >= 0; --c) {
        if (phase_of_[c] == phase) columns_of_[made++] = {shift_of_[c], static_cast<std::int32_t>(c)};
      }
    }
    first_of_[phases_] = made;
  }

  /// Undoes what whole vectors wrote past the end of the row.
  void clear_margin(std::int32_t* switches) const {
    for (std::int64_t i = 0; i < kSlack; i += kLanes) store(switches + axes_.x.out_size + i, splat(kNoSwitch));
  }

  /// The terms of the columns of one phase, in row-major order of the windows.
  std::int64_t terms_of(std::int64_t phase, const Source* sources, std::int64_t count, Term* terms) const {
    std::int64_t made = 0;
    for (std::int64_t source = 0; source < count; ++source) {
      for (std::int32_t i = first_of_[phase]; i < first_of_[phase + 1]; ++i) {
        const std::int64_t at = sources[source].at - columns_of_[i].shift;
        terms[made++] = {values_ + at, sources[source].first_cell + columns_of_[i].column};
      }
    }
    return made;
  }

  static constexpr std::int64_t shape(std::int64_t count, std::int64_t odd_count) {
    return count * (US_MAX_WINDOW_CELLS + 1) + odd_count;
  }

  /// A row of stride 1 whose number of terms the compiler knows.
  template <bool Accumulate, int Count>
  void write_terms(const Term* given, float* to) const {
    // Copies, since a store of a vector could change any term or member, for all the compiler knows.
    Term terms[Count];
    for (int i = 0; i < Count; ++i) terms[i] = given[i];
    const std::int64_t columns = columns_;
    const std::int64_t distance = distance_;
    for (std::int64_t t = 0; t < columns; t += kLanes) store(to + t, gather<Accumulate>(terms, Count, t, distance));
  }

  /// The same of stride 2.
  template <bool Accumulate, int Count, int OddCount>
  void write_terms(const Term* terms, const Term* odd_terms, float* to) const {
    Term even[Count];
    Term odd[OddCount];
    for (int i = 0; i < Count; ++i) even[i] = terms[i];
    for (int i = 0; i < OddCount; ++i) odd[i] = odd_terms[i];
    const std::int64_t columns = columns_;
    const std::int64_t distance = distance_;
    for (std::int64_t t = 0; t < columns; t += kLanes) {
      const Floats evens = gather<Accumulate>(even, Count, t, distance);
      store_interleaved(to + 2 * t, evens, gather<Accumulate>(odd, OddCount, t, distance));
    }
  }

  template <bool Accumulate>
  void write(const Source* sources, std::int64_t count, float* to) {
    const std::int64_t stride = axes_.x.stride;
    Term terms[US_MAX_WINDOW_CELLS];
    const std::int64_t made = terms_of(0, sources, count, terms);
    if (stride == 1) {
      switch (made) {
        case 4:
          return write_terms<Accumulate, 4>(terms, to);
        case 6:
          return write_terms<Accumulate, 6>(terms, to);
        case 9:
          return write_terms<Accumulate, 9>(terms, to);
        default:
          for (std::int64_t t = 0; t < columns_; t += kLanes) {
            store(to + t, gather<Accumulate>(terms, made, t, distance_));
          }
      }
    } else if (stride == 2) {
      Term odd_terms[US_MAX_WINDOW_CELLS];
      const std::int64_t odd_made = terms_of(1, sources, count, odd_terms);
      switch (shape(made, odd_made)) {
        case shape(1, 1):
          return write_terms<Accumulate, 1, 1>(terms, odd_terms, to);
        case shape(1, 2):
          return write_terms<Accumulate, 1, 2>(terms, odd_terms, to);
        case shape(2, 1):
          return write_terms<Accumulate, 2, 1>(terms, odd_terms, to);
        case shape(2, 4):
          return write_terms<Accumulate, 2, 4>(terms, odd_terms, to);
        case shape(4, 2):
          return write_terms<Accumulate, 4, 2>(terms, odd_terms, to);
        default:
          for (std::int64_t t = 0; t < columns_; t += kLanes) {
            const Floats evens = gather<Accumulate>(terms, made, t, distance_);
            store_interleaved(to + 2 * t, evens, gather<Accumulate>(odd_terms, odd_made, t, distance_));
          }
      }
    } else {
      write_split<Accumulate>(sources, count, to);
    }
  }

  template <bool Accumulate>
  void write_split(const Source* sources, std::int64_t count, float* to) {
    Term terms[US_MAX_WINDOW_CELLS];
    for (std::int64_t phase = 0; phase < phases_; ++phase) {
      const std::int64_t made = terms_of(phase, sources, count, terms);
      float* const split = split_ + phase * (columns_ + kSlack);
      for (std::int64_t t = 0; t < columns_; t += kLanes) {
        store(split + t, gather<Accumulate>(terms, made, t, distance_));
      }
      for (std::int64_t t = 0, x = phase; x < axes_.x.size; ++t, x += axes_.x.stride) to[x] = split[t];
    }
  }

  template <bool Accumulate>
  [[gnu::always_inline]] static inline Floats gather(const Term* terms, std::int64_t count, std::int64_t t,
                                                              std::int64_t distance) {
    Floats sum{};
    for (std::int64_t i = 0; i < count; ++i) {
      const Floats value = load(terms[i].values + t);
      const Ints chosen = reinterpret_cast<Ints>(load(terms[i].values + (t + distance))) == splat(terms[i].cell);
      if constexpr (Accumulate) {
        sum += chosen ? value : Floats{};
      } else {
        sum = chosen ? value : sum;
      }
    }
    return sum;
  }

  PoolAxes axes_;
  std::int64_t phases_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t margin_ = 0;
  std::int64_t length_ = 0;
  std::int64_t slots_ = 0;
  std::int64_t distance_ = 0;
  std::int64_t shift_of_[US_MAX_WINDOW_CELLS] = {};
  std::int64_t phase_of_[US_MAX_WINDOW_CELLS] = {};
  float* values_ = nullptr;
  std::int32_t* switches_ = nullptr;
  std::int64_t* held_ = nullptr;
  Range* reaching_ = nullptr;
  Column* columns_of_ = nullptr;
  std::int32_t* first_of_ = nullptr;
  float* split_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
