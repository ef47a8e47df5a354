#include "core/error.hpp"
#include "cpu/block_lanes.hpp"
#include "cpu/isa.hpp"
#include "cpu/scratch.hpp"
#include "cpu/signal_filter.hpp"
#include "cpu/streamed_windows.hpp"

namespace us::cpu::US_ISA {
namespace {

/// A stretch of kernel indices that lie on the plane.
struct CellRange {
  std::int64_t first;
  std::int64_t last;
};

/// Windows of any shape. One row of them after the other finds its maxima again and adds its signals to the few rows of
/// dx that it reaches; a row that no later window reaches is filtered, written once and forgotten.
template <int Block>
class ScatteredWindows {
  using Lanes = BlockLanes<Block>;
  using Values = typename Lanes::Floats;
  using Cells = typename Lanes::Ints;

 public:
  explicit ScatteredWindows(const BlockedPooling& work) : work_(work), y_(work.axes.y), x_(work.axes.x) {
    const std::int64_t reach = (y_.kernel - 1) * y_.dilation + 1;
    slots_ = reach < y_.size ? reach : y_.size;
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

  /// Finds the first cell in row-major order that holds the maximum; a NaN is larger than all numbers.
  void find(CellRange down) {
    for (int lane = 0; lane < Block; lane += Lanes::kWidth) {
      for (std::int64_t window = 0; window < x_.out_size; ++window) {
        const CellRange across{x_.first(window), x_.last(window)};
        const std::int64_t start = x_.start(window) * Block + lane;
        Values best = Lanes::load(rows_[down.first] + start + across.first * x_.dilation * Block);
        Cells where = Cells{} + static_cast<std::int32_t>(down.first * x_.kernel + across.first);
        for (std::int64_t r = down.first; r < down.last; ++r) {
          for (std::int64_t c = across.first; c < across.last; ++c) {
            const Values value = Lanes::load(rows_[r] + start + c * x_.dilation * Block);
            const Cells wins = takes_place<Lanes>(value, best);
            best = wins ? value : best;
            where = wins ? Cells{} + static_cast<std::int32_t>(r * x_.kernel + c) : where;
          }
        }
        Lanes::store(winners_ + window * Block + lane, where);
      }
    }
  }

  /// Signals are added in the order of the windows, as us_max_pool_backward does.
  void add(std::int64_t window, CellRange down, const float* dy) {
    const std::int64_t start = y_.start(window);
    while (down.first < down.last && start + down.first * y_.dilation < begin_) ++down.first;
    while (down.first < down.last && start + (down.last - 1) * y_.dilation >= end_) --down.last;
    for (std::int64_t r = down.first; r < down.last; ++r) targets_[r] = sums_of(start + r * y_.dilation);
    for (int lane = 0; lane < Block; lane += Lanes::kWidth) {
      for (std::int64_t i = 0; i < x_.out_size; ++i) {
        const CellRange across{x_.first(i), x_.last(i)};
        const Values signal = Lanes::load(dy + i * Block + lane);
        const Cells where = Lanes::load(winners_ + i * Block + lane);
        for (std::int64_t r = down.first; r < down.last; ++r) {
          for (std::int64_t c = across.first; c < across.last; ++c) {
            float* const sum = targets_[r] + (x_.start(i) + c * x_.dilation) * Block + lane;
            const Cells wins = where == static_cast<std::int32_t>(r * x_.kernel + c);
            Lanes::store(sum, Lanes::load(sum) + (wins ? signal : Values{}));
          }
        }
      }
    }
  }

  const BlockedPooling& work_;
  const PoolAxis y_;
  const PoolAxis x_;
  std::int64_t slots_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  const float* plane_ = nullptr;
  float* sums_ = nullptr;
  std::int32_t* winners_ = nullptr;
  const float** rows_ = nullptr;
  float** targets_ = nullptr;
};

template <typename Windows>
us_status unpool(const BlockedPooling& work, std::int64_t begin, std::int64_t end) {
  Windows windows(work);
  Arena measured(nullptr);
  windows.layout(measured);
  void* const memory = __builtin_malloc(static_cast<std::size_t>(measured.used() + kCacheLine));
  if (memory == nullptr) {
    return fail(US_OUT_OF_MEMORY, "%lld bytes of scratch memory cannot be allocated", (long long)measured.used());
  }
  const auto misaligned = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(memory) % kCacheLine);
  Arena arena(static_cast<char*>(memory) + (kCacheLine - misaligned));
  windows.layout(arena);
  with_filter(work.mask, [&](const auto& filter) {
    const std::int64_t height = work.axes.y.size;
    for (std::int64_t item = begin; item < end;) {
      const std::int64_t first = item % height;
      const std::int64_t rest = height - first;
      const std::int64_t count = rest < end - item ? rest : end - item;
      windows.run(filter, item / height, first, first + count);
      item += count;
    }
  });
  __builtin_free(memory);
  return US_OK;
}

/// The usual windows, and all others.
template <int Block>
us_status unpool(const BlockedPooling& work, std::int64_t begin, std::int64_t end) {
  const PoolAxis& y = work.axes.y;
  const PoolAxis& x = work.axes.x;
  if (y.dilation == 1 && x.dilation == 1 && y.kernel == x.kernel && y.stride == x.stride) {
    if (x.kernel == 2 && x.stride == 2) return unpool<StreamedWindows<Block, 2, 2>>(work, begin, end);
    if (x.kernel == 3 && x.stride == 2) return unpool<StreamedWindows<Block, 3, 2>>(work, begin, end);
    if (x.kernel == 3 && x.stride == 1) return unpool<StreamedWindows<Block, 3, 1>>(work, begin, end);
  }
  return unpool<ScatteredWindows<Block>>(work, begin, end);
}

}  // namespace

us_status unpool_blocks(const BlockedPooling& work, std::int64_t begin, std::int64_t end) {
  return work.block == 8 ? unpool<8>(work, begin, end) : unpool<16>(work, begin, end);
}

}  // namespace us::cpu::US_ISA
