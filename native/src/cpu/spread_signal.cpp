#include "cpu/block_lanes.hpp"
#include "cpu/isa.hpp"
#include "cpu/signal_filter.hpp"

namespace us::cpu::US_ISA {
namespace {

template <typename Filter>
void spread_plane(const Filter& filter, std::int64_t cells, const float* x, float value, float* dx) {
  const Floats values = splat(value);
  std::int64_t i = 0;
  for (; i + kLanes <= cells; i += kLanes) {
    store(dx + i, filter(values, Filter::kReadsOutput ? load(x + i) : Floats{}));
  }
  for (; i < cells; ++i) dx[i] = filter(value, Filter::kReadsOutput ? x[i] : 0.0F);
}

template <int Block, typename Filter>
void spread_block(const Filter& filter, std::int64_t cells, const float* x, const float* dy, float* dx) {
  using Lanes = BlockLanes<Block>;
  using Values = typename Lanes::Floats;
  for (int part = 0; part < Lanes::kParts; ++part) {
    const int lane = part * Lanes::kWidth;
    const Values value = Lanes::load(dy + lane) / static_cast<float>(cells);
    for (std::int64_t cell = 0; cell < cells; ++cell) {
      const std::int64_t at = cell * Block + lane;
      Lanes::store(dx + at, filter(value, Filter::kReadsOutput ? Lanes::load(x + at) : Values{}));
    }
  }
}

template <typename Filter>
void spread(const Filter& filter, const SpreadSignal& work, std::int64_t begin, std::int64_t end) {
  const std::int64_t size = work.cells * work.block;
  for (std::int64_t plane = begin; plane < end; ++plane) {
    const float* const x = work.x + plane * size;
    const float* const dy = work.dy + plane * work.block;
    float* const dx = work.dx + plane * size;
    if (work.block == 8) {
      spread_block<8>(filter, work.cells, x, dy, dx);
    } else if (work.block == 16) {
      spread_block<16>(filter, work.cells, x, dy, dx);
    } else {
      spread_plane(filter, work.cells, x, *dy / static_cast<float>(work.cells), dx);
    }
  }
}

}  // namespace

us_status spread_signal(const SpreadSignal& work, std::int64_t begin, std::int64_t end) {
  with_filter(work.mask, [&](const auto& filter) { spread(filter, work, begin, end); });
  return US_OK;
}

}  // namespace us::cpu::US_ISA
