#include "cpu/isa.hpp"
#include "cpu/signal_filter.hpp"

namespace us::cpu::US_ISA {
namespace {

/// One row of a phase to every `stride`-th cell of a row of dx; `from` NULL is zeros.
template <int Block>
void spread_cells(const float* from, std::int64_t cells, std::int64_t stride, float* to) {
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    float* const target = to + cell * stride * Block;
    if (from != nullptr) {
      __builtin_memcpy(target, from + cell * Block, Block * sizeof(float));
    } else {
      __builtin_memset(target, 0, Block * sizeof(float));
    }
  }
}

/// Two phases of single channels, cell by cell in turn: a vector of each becomes two of the row.
void interleave_pair(const float* even, const float* odd, std::int64_t width, float* to) {
  const std::int64_t pairs = width / 2;
  std::int64_t i = 0;
  for (; i + kLanes <= pairs; i += kLanes) {
    const Floats first = even != nullptr ? load(even + i) : Floats{};
    const Floats second = odd != nullptr ? load(odd + i) : Floats{};
    store_interleaved(to + 2 * i, first, second);
  }
  for (; 2 * i < width; ++i) {
    to[2 * i] = even != nullptr ? even[i] : 0.0F;
    if (2 * i + 1 < width) to[2 * i + 1] = odd != nullptr ? odd[i] : 0.0F;
  }
}

/// The phases of one row, each as the start of its row or NULL.
class RowOfPhases {
 public:
  explicit RowOfPhases(const InterleavedPhases& work) : work_(work) {}

  void make(std::int64_t plane, std::int64_t row, float* to) const {
    const std::int64_t across = work_.strides[1];
    if (across == 2 && work_.block == 1) {
      return interleave_pair(start(plane, row, 0), start(plane, row, 1), work_.width, to);
    }
    for (std::int64_t phase = 0; phase < across && phase < work_.width; ++phase) {
      const float* const from = start(plane, row, phase);
      float* const first = to + phase * work_.block;
      const std::int64_t cells = cells_of(phase);
      if (across == 1) {
        copy_whole_row(from, cells * work_.block, first);
      } else if (work_.block == 8) {
        spread_cells<8>(from, cells, across, first);
      } else if (work_.block == 16) {
        spread_cells<16>(from, cells, across, first);
      } else {
        spread_cells<1>(from, cells, across, first);
      }
    }
  }

 private:
  static void copy_whole_row(const float* from, std::int64_t count, float* to) {
    if (from != nullptr) return copy_row(to, from, count);
    __builtin_memset(to, 0, static_cast<std::size_t>(count) * sizeof(float));
  }

  std::int64_t cells_of(std::int64_t phase) const { return ceil_divide(work_.width - phase, work_.strides[1]); }

  const float* start(std::int64_t plane, std::int64_t row, std::int64_t phase) const {
    const std::int64_t down = row % work_.strides[0];
    const float* const from = work_.phases[down * work_.strides[1] + phase];
    if (from == nullptr) return nullptr;
    const std::int64_t rows = ceil_divide(work_.height - down, work_.strides[0]);
    return from + (plane * rows + row / work_.strides[0]) * cells_of(phase) * work_.block;
  }

  const InterleavedPhases& work_;
};

}  // namespace

us_status interleave_phases(const InterleavedPhases& work, std::int64_t begin, std::int64_t end) {
  const RowOfPhases phases(work);
  const std::int64_t size = work.width * work.block;
  with_filter(work.mask, [&](const auto& filter) {
    for (std::int64_t item = begin; item < end; ++item) {
      float* const row = work.dx + item * size;
      phases.make(item / work.height, item % work.height, row);
      if (work.mask.rule == US_SIGNAL_RULE_NONE) continue;
      // The row is in the nearest cache: a second pass over it costs less than filters in every way of making it.
      filter_elements(filter, work.y == nullptr ? row : work.y + item * size, row, row, size);
    }
  });
  return US_OK;
}

}  // namespace us::cpu::US_ISA
