#pragma once

#include "cpu/scratch.hpp"
#include "unitscope/iou_counts.h"

namespace us::cpu::US_ISA {
namespace {

constexpr std::int64_t kDoubles = kLanes / 2;
using Doubles [[gnu::vector_size(kLanes * 4)]] = double;
using UnalignedDoubles [[gnu::vector_size(kLanes * 4), gnu::aligned(8), gnu::may_alias]] = double;

inline Doubles load(const double* from) { return *reinterpret_cast<const UnalignedDoubles*>(from); }

/// Bit i says whether values[i] > threshold.
inline std::uint64_t bits_above(Doubles values, Doubles threshold) {
#if defined(__AVX512F__)
  return _mm512_cmp_pd_mask(values, threshold, _CMP_GT_OQ);
#elif defined(__AVX__)
  return static_cast<std::uint64_t>(_mm256_movemask_pd(_mm256_cmp_pd(values, threshold, _CMP_GT_OQ)));
#elif defined(__SSE2__)
  return static_cast<std::uint64_t>(_mm_movemask_pd(_mm_cmpgt_pd(values, threshold)));
#else
  std::uint64_t bits = 0;
  for (std::int64_t lane = 0; lane < kDoubles; ++lane) bits |= static_cast<std::uint64_t>(values[lane] > threshold[lane]) << lane;
  return bits;
#endif
}

/// Neighbouring pixels that read the same two cells. Cells are counted from 1; 0 and one past the last hold the zeros
/// beyond the edges.
struct Interval {
  std::int32_t begin;
  std::int32_t end;
  std::int32_t first;
  std::int32_t second;
};

/// Which cells the pixels along an axis read, and with what weights.
class AxisPlacement {
 public:
  void layout(Arena& arena, std::int64_t pixels) {
    pixels_ = pixels;
    first_weight_ = arena.take<double>(pixels + kSlack);
    second_weight_ = arena.take<double>(pixels + kSlack);
    intervals_ = arena.take<Interval>(pixels);
  }

  void prepare(std::int64_t cells, double origin, double step, us_iou_edge edge) {
    interval_count_ = 0;
    const auto last = static_cast<double>(cells - 1);
    for (std::int64_t pixel = 0; pixel < pixels_; ++pixel) {
      double at = (static_cast<double>(pixel) - origin) / step;
      if (edge == US_IOU_EDGE_CLAMP) {
        at = at < 0 ? 0 : at;
        at = at > last ? last : at;
      } else {
        at = at < -1 ? -1 : at;
        at = at > last + 1 ? last + 1 : at;
      }
      auto cell = static_cast<std::int64_t>(at);
      if (static_cast<double>(cell) > at) --cell;  // conversion rounds towards 0
      const double fraction = at - static_cast<double>(cell);
      const bool alone = fraction == 0;
      // Halves of one cell add up to it, exactly and even where it is infinite.
      first_weight_[pixel] = alone ? 0.5 : 1 - fraction;
      second_weight_[pixel] = alone ? 0.5 : fraction;
      const auto first = static_cast<std::int32_t>(cell + 1);
      const std::int32_t second = alone ? first : first + 1;
      const bool joins = interval_count_ > 0 && intervals_[interval_count_ - 1].first == first &&
                         intervals_[interval_count_ - 1].second == second;
      if (!joins) intervals_[interval_count_++] = {static_cast<std::int32_t>(pixel), 0, first, second};
      intervals_[interval_count_ - 1].end = static_cast<std::int32_t>(pixel + 1);
    }
    for (std::int64_t i = pixels_; i < pixels_ + kSlack; ++i) first_weight_[i] = second_weight_[i] = 0;
  }

  std::int64_t interval_count() const { return interval_count_; }
  const Interval& interval(std::int64_t index) const { return intervals_[index]; }
  const double* first_weight() const { return first_weight_; }
  const double* second_weight() const { return second_weight_; }

 private:
  std::int64_t pixels_ = 0;
  std::int64_t interval_count_ = 0;
  double* first_weight_ = nullptr;
  double* second_weight_ = nullptr;
  Interval* intervals_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
