#include "core/error.hpp"
#include "cpu/block_lanes.hpp"
#include "cpu/isa.hpp"
#include "cpu/scratch.hpp"
#include "cpu/signal_filter.hpp"

namespace us::cpu::US_ISA {
namespace {

/// A stretch of kernel indices that lie on the plane.
struct CellRange {
  std::int64_t first;
  std::int64_t last;
};

/// One row of windows after the other finds its maxima again and adds its signals to the few rows of dx that its windows
/// share with their neighbours; a row that no later window reaches is filtered, written once and forgotten.
template <int Block>
class BlockUnpooler {
  using Lanes = BlockLanes<Block>;
  using Values = typename Lanes::Floats;
  using Cells = typename Lanes::Ints;

 public:
  explicit BlockUnpooler(const BlockedPooling& work) : work_(work), y_(work.axes.y), x_(work.axes.x) {
    const std::int64_t reach = (y_.kernel - 1) * y_.dilation + 1;
    slots_ = reach < y_.size ? reach : y_.size;
    while (left_ < x_.out_size && x_.first(left_) > 0) ++left_;
    right_ = x_.out_size;
    while (right_ > left_ && x_.last(right_ - 1) < x_.kernel) --right_;
    if (y_.dilation == 1 && x_.dilation == 1 && y_.kernel == x_.kernel) square_ = x_.kernel;
  }

  void layout(Arena& arena) {
    sums_ = arena.take<float>(slots_ * x_.size * Block);
    winners_ = arena.take<std::int32_t>(x_.out_size * Block);
    rows_ = arena.take<const float*>(y_.kernel);
    targets_ = arena.take<float*>(y_.kernel);
  }

  /// Rows `begin` to `end` of plane `plane`.
  template <typename Filter>
  void run(const Filter& filter, std::int64_t plane, std::int64_t begin, std::int64_t end) {
    plane_ = work_.x + plane * y_.size * x_.size * Block;
    begin_ = begin;
    end_ = end;
    float* const dx = work_.dx + plane * y_.size * x_.size * Block;
    const float* const dy = work_.dy + plane * y_.out_size * x_.out_size * Block;
    for (std::int64_t i = 0; i < slots_ * x_.size * Block; ++i) sums_[i] = 0;

    const std::int64_t reach = (y_.kernel - 1) * y_.dilation;
    const std::int64_t first = begin + y_.pad > reach ? ceil_divide(begin + y_.pad - reach, y_.stride) : 0;
    std::int64_t next = begin;
    for (std::int64_t window = first; window < y_.out_size && y_.start(window) < end; ++window) {
      for (; next < y_.start(window); ++next) emit(filter, next, dx);
      const CellRange down{y_.first(window), y_.last(window)};
      for (std::int64_t r = down.first; r < down.last; ++r) {
        rows_[r] = plane_ + (y_.start(window) + r * y_.dilation) * x_.size * Block;
      }
      find(down);
      add(window, down, dy + window * x_.out_size * Block);
    }
    for (; next < end; ++next) emit(filter, next, dx);
  }

 private:
  /// Writes a finished row of dx and leaves its sums zero for the row that takes their place.
  template <typename Filter>
  void emit(const Filter& filter, std::int64_t row, float* dx) {
    const std::int64_t offset = row * x_.size * Block;
    float* const sums = sums_of(row);
    for (std::int64_t i = 0; i < x_.size * Block; i += Lanes::kWidth) {
      const Values x = Filter::kReadsOutput ? Lanes::load(plane_ + offset + i) : Values{};
      Lanes::store(dx + offset + i, filter(Lanes::load(sums + i), x));
      Lanes::store(sums + i, Values{});
    }
  }

  float* sums_of(std::int64_t row) const { return sums_ + remainder(row, slots_) * x_.size * Block; }

  // The first cell in row-major order that holds the maximum wins, and a NaN is the largest of all. ---------------------

  void find(CellRange down) {
    const bool whole = down.first == 0 && down.last == y_.kernel;
    for (int part = 0; part < Lanes::kParts; ++part) {
      const int lane = part * Lanes::kWidth;
      for (std::int64_t window = 0; window < left_; ++window) find_window<true, 0>(down, window, lane);
      for (std::int64_t window = right_; window < x_.out_size; ++window) find_window<true, 0>(down, window, lane);
      if (whole && square_ == 2) {
        find_inside<2>(down, lane);
      } else if (whole && square_ == 3) {
        find_inside<3>(down, lane);
      } else {
        find_inside<0>(down, lane);
      }
    }
  }

  /// Windows that no end of the row cuts. Where a sum shows that there may be a NaN, once more with that in mind.
  template <int Side>
  void find_inside(CellRange down, int lane) {
    Cells unordered{};
    for (std::int64_t window = left_; window < right_; ++window) {
      const Values sum = find_window<false, Side>(down, window, lane);
      unordered |= sum != sum;
    }
    std::int32_t all = 0;
    for (int i = 0; i < Lanes::kWidth; ++i) all |= unordered[i];
    if (all == 0) return;
    for (std::int64_t window = left_; window < right_; ++window) find_window<true, 0>(down, window, lane);
  }

  /// Side is that of a square kernel without dilation whose cells are all on the plane, or 0. Gives the sum of the cells.
  template <bool HasNan, int Side>
  Values find_window(CellRange down, std::int64_t window, int lane) {
    const CellRange across = Side > 0 ? CellRange{0, Side} : CellRange{x_.first(window), x_.last(window)};
    const CellRange rows = Side > 0 ? CellRange{0, Side} : down;
    const std::int64_t dilation = Side > 0 ? 1 : x_.dilation;
    const std::int64_t kernel = Side > 0 ? Side : x_.kernel;
    const std::int64_t start = x_.start(window) * Block + lane;
    const auto cell = [&](std::int64_t r, std::int64_t c) { return Lanes::load(rows_[r] + start + c * dilation * Block); };
    Values best = cell(rows.first, across.first);
    Values sum = best;
    Cells where = Cells{} + static_cast<std::int32_t>(rows.first * kernel + across.first);
    for (std::int64_t r = rows.first; r < rows.last; ++r) {
      for (std::int64_t c = r == rows.first ? across.first + 1 : across.first; c < across.last; ++c) {
        const Values value = cell(r, c);
        const Cells won = HasNan ? ~(value <= best) & (best == best) : value > best;
        best = won ? value : best;
        where = won ? Cells{} + static_cast<std::int32_t>(r * kernel + c) : where;
        sum += value;
      }
    }
    Lanes::store(winners_ + window * Block + lane, where);
    return sum;
  }

  // Signals are added in the order of the windows, as us_max_pool_backward does. ----------------------------------------

  void add(std::int64_t window, CellRange down, const float* dy) {
    CellRange rows = down;
    const std::int64_t start = y_.start(window);
    while (rows.first < rows.last && start + rows.first * y_.dilation < begin_) ++rows.first;
    while (rows.first < rows.last && start + (rows.last - 1) * y_.dilation >= end_) --rows.last;
    for (std::int64_t r = rows.first; r < rows.last; ++r) targets_[r] = sums_of(start + r * y_.dilation);
    const bool whole = rows.first == 0 && rows.last == y_.kernel;
    for (int part = 0; part < Lanes::kParts; ++part) {
      const int lane = part * Lanes::kWidth;
      for (std::int64_t i = 0; i < left_; ++i) add_window<0>(rows, i, lane, dy);
      if (whole && square_ == 2) {
        for (std::int64_t i = left_; i < right_; ++i) add_window<2>(rows, i, lane, dy);
      } else if (whole && square_ == 3) {
        for (std::int64_t i = left_; i < right_; ++i) add_window<3>(rows, i, lane, dy);
      } else {
        for (std::int64_t i = left_; i < right_; ++i) add_window<0>(rows, i, lane, dy);
      }
      for (std::int64_t i = right_; i < x_.out_size; ++i) add_window<0>(rows, i, lane, dy);
    }
  }

  template <int Side>
  void add_window(CellRange down, std::int64_t window, int lane, const float* dy) {
    const CellRange across = Side > 0 ? CellRange{0, Side} : CellRange{x_.first(window), x_.last(window)};
    const CellRange rows = Side > 0 ? CellRange{0, Side} : down;
    const std::int64_t dilation = Side > 0 ? 1 : x_.dilation;
    const std::int64_t kernel = Side > 0 ? Side : x_.kernel;
    const std::int64_t start = x_.start(window) * Block + lane;
    const Values signal = Lanes::load(dy + window * Block + lane);
    const Cells where = Lanes::load(winners_ + window * Block + lane);
    for (std::int64_t r = rows.first; r < rows.last; ++r) {
      for (std::int64_t c = across.first; c < across.last; ++c) {
        float* const sum = targets_[r] + start + c * dilation * Block;
        const Cells won = where == static_cast<std::int32_t>(r * kernel + c);
        Lanes::store(sum, Lanes::load(sum) + (won ? signal : Values{}));
      }
    }
  }

  const BlockedPooling& work_;
  const PoolAxis y_;
  const PoolAxis x_;
  // Windows before left_ and from right_ on reach over an end of the row.
  std::int64_t left_ = 0;
  std::int64_t right_ = 0;
  std::int64_t square_ = 0;
  std::int64_t slots_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  const float* plane_ = nullptr;
  float* sums_ = nullptr;
  std::int32_t* winners_ = nullptr;
  const float** rows_ = nullptr;
  float** targets_ = nullptr;
};

template <int Block>
us_status unpool(const BlockedPooling& work, std::int64_t begin, std::int64_t end) {
  BlockUnpooler<Block> unpooler(work);
  Arena measured(nullptr);
  unpooler.layout(measured);
  void* const block = __builtin_malloc(static_cast<std::size_t>(measured.used() + kCacheLine));
  if (block == nullptr) {
    return fail(US_OUT_OF_MEMORY, "%lld bytes of scratch memory cannot be allocated", (long long)measured.used());
  }
  const auto misaligned = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(block) % kCacheLine);
  Arena arena(static_cast<char*>(block) + (kCacheLine - misaligned));
  unpooler.layout(arena);
  with_filter(work.mask, [&](const auto& filter) {
    const std::int64_t height = work.axes.y.size;
    for (std::int64_t item = begin; item < end;) {
      const std::int64_t plane = item / height;
      const std::int64_t first = item % height;
      const std::int64_t rest = height - first;
      const std::int64_t count = rest < end - item ? rest : end - item;
      unpooler.run(filter, plane, first, first + count);
      item += count;
    }
  });
  __builtin_free(block);
  return US_OK;
}

}  // namespace

us_status unpool_blocks(const BlockedPooling& work, std::int64_t begin, std::int64_t end) {
  return work.block == 8 ? unpool<8>(work, begin, end) : unpool<16>(work, begin, end);
}

}  // namespace us::cpu::US_ISA
