#pragma once

#include "cpu/simd.hpp"
#include "unitscope/signal_rule.h"

namespace us::cpu::US_ISA {
namespace {

/// What one row of finished sums keeps under a rule; `x` is the row of the pooling's input, read only where Masked.
template <bool Masked, bool Rectified>
void keep_in_row(const float* x, std::int64_t count, float* sums) {
  const auto keep = [&](std::int64_t i) {
    Floats sum = load(sums + i);
    // Not "sum > 0": a NaN stays.
    if constexpr (Rectified) sum = sum <= Floats{} ? Floats{} : sum;
    if constexpr (Masked) sum = load(x + i) > Floats{} ? sum : Floats{};
    store(sums + i, sum);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) keep(i);
  if (i == count) return;
  // The last vector overlaps the one before it: a rule applied twice is the rule.
  if (count >= kLanes) return keep(count - kLanes);
  for (; i < count; ++i) {
    const bool dropped = (Rectified && sums[i] <= 0) || (Masked && !(x[i] > 0));
    if (dropped) sums[i] = 0;
  }
}

/// The one rule that does not read the pooling's input.
inline void rectify_row(std::int64_t count, float* sums) { keep_in_row<false, true>(nullptr, count, sums); }

inline void apply_signal_rule(us_signal_rule rule, const float* x, std::int64_t count, float* sums) {
  switch (rule) {
    case US_SIGNAL_RULE_GRADIENT:
      return keep_in_row<true, false>(x, count, sums);
    case US_SIGNAL_RULE_GUIDED:
      return keep_in_row<true, true>(x, count, sums);
    case US_SIGNAL_RULE_DECONVNET:
      return rectify_row(count, sums);
    default:
      return;
  }
}

}  // namespace
}  // namespace us::cpu::US_ISA
