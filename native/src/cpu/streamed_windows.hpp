#pragma once

#include "core/signal_work.hpp"
#include "cpu/block_lanes.hpp"
#include "cpu/scratch.hpp"
#include "cpu/signal_filter.hpp"

namespace us::cpu::US_ISA {
namespace {

/// The gradient of max-pooling over square windows that leave no gaps, Stride <= Side, without dilation. Rows of
/// windows run over the plane once: sums that the next window shares stay in registers, those that the next row of
/// windows shares in a few rows of scratch memory, and a finished element of dx is filtered and written once.
template <int Block, int Side, int Stride>
class StreamedWindows {
  using Lanes = BlockLanes<Block>;
  using Values = typename Lanes::Floats;
  using Cells = typename Lanes::Ints;
  static constexpr int kShared = Side - Stride;
  /// Sums of the columns that the next window shares, of every row of the window.
  using Carry = Values[Side][kShared > 0 ? kShared : 1];

 public:
  explicit StreamedWindows(const BlockedPooling& work) : work_(work), y_(work.axes.y), x_(work.axes.x) {
    while (left_ < x_.out_size && x_.first(left_) > 0) ++left_;
    right_ = x_.out_size;
    while (right_ > left_ && x_.last(right_ - 1) < x_.kernel) --right_;
  }

  void layout(Arena& arena) {
    sums_ = arena.take<float>(Side * row_size());
    unwanted_ = arena.take<float>(row_size());
  }

  /// Rows `begin` to `end` of plane `plane`.
  template <typename Filter>
  void run(const Filter& filter, std::int64_t plane, std::int64_t begin, std::int64_t end) {
    const float* const x = work_.x + plane * y_.size * row_size();
    const float* const dy = work_.dy + plane * y_.out_size * x_.out_size * Block;
    float* const dx = work_.dx + plane * y_.size * row_size();
    for (std::int64_t i = 0; i < Side * row_size(); ++i) sums_[i] = 0;

    const std::int64_t above = begin + y_.pad - (Side - 1);
    std::int64_t window = above > 0 ? ceil_divide(above, Stride) : 0;
    std::int64_t unseen = y_.start(window);
    for (; window < y_.out_size && y_.start(window) < end; ++window) {
      const std::int64_t start = y_.start(window);
      first_ = y_.first(window);
      last_ = y_.last(window);
      bool has_nan = false;
      for (std::int64_t r = first_; r < last_; ++r) {
        const std::int64_t row = start + r;
        rows_[r] = x + row * row_size();
        shared_[r] = sums_of(row);
        targets_[r] = row >= begin && row < end ? dx + row * row_size() : unwanted_;
        bool& holds_nan = holds_nan_[remainder(row, Side)];
        if (row >= unseen) holds_nan = has_unordered(rows_[r]);
        has_nan = has_nan || holds_nan;
      }
      unseen = start + last_;
      for (int lane = 0; lane < Block; lane += Lanes::kWidth) {
        run_windows(filter, dy + window * x_.out_size * Block + lane, lane, has_nan);
      }
    }
    // Below the last row of windows are rows of their sums, and then rows that no window reaches.
    const std::int64_t reached = y_.start(window - 1) + Side;
    for (std::int64_t row = y_.start(window); row < end; ++row) {
      if (row < begin) continue;
      float* const to = dx + row * row_size();
      if (row < reached) {
        filter_elements(filter, x + row * row_size(), sums_of(row), to, row_size());
      } else {
        __builtin_memset(to, 0, static_cast<std::size_t>(row_size()) * sizeof(float));
      }
    }
  }

 private:
  std::int64_t row_size() const { return x_.size * Block; }
  float* sums_of(std::int64_t row) const { return sums_ + remainder(row, Side) * row_size(); }

  bool has_unordered(const float* row) const {
    Cells unordered{};
    for (std::int64_t i = 0; i < row_size(); i += Lanes::kWidth) {
      const Values value = Lanes::load(row + i);
      unordered |= value != value;
    }
    std::int32_t all = 0;
    for (int i = 0; i < Lanes::kWidth; ++i) all |= unordered[i];
    return all != 0;
  }

  /// One row of windows, for the channels from `lane` on.
  template <typename Filter>
  void run_windows(const Filter& filter, const float* dy, int lane, bool has_nan) {
    const bool whole = first_ == 0 && last_ == Side && !has_nan;
    const std::int64_t windows = x_.out_size;
    const std::int64_t left = whole ? left_ : windows;
    Carry carry{};
    for (std::int64_t r = first_; r < last_ && r < kShared; ++r) {
      for (std::int64_t c = 0; c < kShared; ++c) {
        const std::int64_t column = c - x_.pad;
        if (column >= 0 && column < x_.size) carry[r][c] = Lanes::load(shared_[r] + column * Block + lane);
      }
    }
    std::int64_t window = 0;
    for (; window < left; ++window) run_careful_window(filter, dy, window, lane, carry);
    for (; window < right_; ++window) run_window(filter, dy, window, lane, carry);
    for (; window < windows; ++window) run_careful_window(filter, dy, window, lane, carry);
    for (std::int64_t r = first_; r < last_; ++r) {
      std::int64_t column = x_.start(windows);
      for (std::int64_t c = 0; c < kShared; ++c, ++column) {
        if (column >= 0 && column < x_.size) finish(filter, r, column * Block + lane, carry[r][c]);
      }
      for (; column < x_.size && r < Stride; ++column) Lanes::store(targets_[r] + column * Block + lane, Values{});
    }
  }

  /// A sum that no later window of this row shares.
  template <typename Filter>
  [[gnu::always_inline]] void finish(const Filter& filter, std::int64_t r, std::int64_t at, Values sum) {
    if (kShared == 0 || r < Stride) {
      Lanes::store(targets_[r] + at, filter(sum, Filter::kReadsOutput ? Lanes::load(rows_[r] + at) : Values{}));
    } else {
      Lanes::store(shared_[r] + at, sum);
    }
  }

  /// Adds what the window gives to the cell (r, c); c as a column of dx is `at`.
  template <typename Filter>
  [[gnu::always_inline]] void add(const Filter& filter, int r, int c, std::int64_t at, Values given, Carry& carry) {
    if constexpr (kShared == 0) {
      finish(filter, r, at, given);
    } else {
      Values sum{};
      if (c < kShared) {
        sum = carry[r][c];
      } else if (r < kShared) {
        sum = Lanes::load(shared_[r] + at);
      }
      sum += given;
      if (c < Stride) {
        finish(filter, r, at, sum);
      } else {
        carry[r][c - Stride] = sum;
      }
    }
  }

  /// A window whose cells are all on the plane and are numbers.
  template <typename Filter>
  [[gnu::always_inline]] void run_window(const Filter& filter, const float* dy, std::int64_t window, int lane,
                                         Carry& carry) {
    const std::int64_t start = x_.start(window) * Block + lane;
    Values best = Lanes::load(rows_[0] + start);
#pragma GCC unroll 3
    for (int r = 0; r < Side; ++r) {
#pragma GCC unroll 3
      for (int c = 0; c < Side; ++c) {
        if (r + c == 0) continue;
        const Values value = Lanes::load(rows_[r] + start + c * Block);
        best = value > best ? value : best;
      }
    }
    // The first cell that equals the maximum takes the signal, and leaves none.
    Values rest = Lanes::load(dy + window * Block);
#pragma GCC unroll 3
    for (int r = 0; r < Side; ++r) {
#pragma GCC unroll 3
      for (int c = 0; c < Side; ++c) {
        const std::int64_t at = start + c * Block;
        const Cells wins = Lanes::load(rows_[r] + at) == best;
        add(filter, r, c, at, wins ? rest : Values{}, carry);
        rest = wins ? Values{} : rest;
      }
    }
  }

  /// Any window. A NaN is larger than all numbers, and the first one wins.
  template <typename Filter>
  [[gnu::noinline]] void run_careful_window(const Filter& filter, const float* dy, std::int64_t window, int lane,
                                            Carry& carry) {
    const int left = static_cast<int>(x_.first(window));
    const int right = static_cast<int>(x_.last(window));
    const std::int64_t start = x_.start(window) * Block + lane;
    Values best = Lanes::load(rows_[first_] + start + left * Block);
    Cells where = Cells{} + static_cast<std::int32_t>(first_ * Side + left);
    for (int r = static_cast<int>(first_); r < last_; ++r) {
      for (int c = left; c < right; ++c) {
        const Values value = Lanes::load(rows_[r] + start + c * Block);
        const Cells wins = takes_place<Lanes>(value, best);
        best = wins ? value : best;
        where = wins ? Cells{} + (r * Side + c) : where;
      }
    }
    const Values signal = Lanes::load(dy + window * Block);
    for (int r = static_cast<int>(first_); r < last_; ++r) {
      for (int c = left; c < right; ++c) {
        add(filter, r, c, start + c * Block, where == r * Side + c ? signal : Values{}, carry);
      }
    }
  }

  const BlockedPooling& work_;
  const PoolAxis y_;
  const PoolAxis x_;
  // Windows before left_ and from right_ on reach over an end of the row.
  std::int64_t left_ = 0;
  std::int64_t right_ = 0;
  // Of the row of windows: its rows that lie on the plane, where they are in x, in the sums and in dx.
  std::int64_t first_ = 0;
  std::int64_t last_ = 0;
  const float* rows_[Side] = {};
  float* shared_[Side] = {};
  float* targets_[Side] = {};
  bool holds_nan_[Side] = {};
  float* sums_ = nullptr;
  float* unwanted_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
