#pragma once

#include "core/signal_work.hpp"
#include "cpu/simd.hpp"

namespace us::cpu::US_ISA {
namespace {

/// What a rectifier lets through, for vectors of any width and for single floats. What is not let through is 0; a NaN
/// in the signal stays where only its sign decides; a NaN in y lets nothing through.
template <bool Masked, bool Rectified, bool Ceiled>
struct SignalFilter {
  static constexpr bool kReadsOutput = Masked;
  float ceiling;

  template <typename Value>
  Value operator()(Value signal, [[maybe_unused]] Value y) const {
    const Value zero{};
    // Not "signal > 0": a NaN stays.
    if constexpr (Rectified) signal = signal <= zero ? zero : signal;
    if constexpr (Masked) signal = y > zero ? signal : zero;
    if constexpr (Masked && Ceiled) signal = y < zero + ceiling ? signal : zero;
    return signal;
  }
};

/// Calls body(filter) with the filter of the mask, whose type the compiler knows.
template <typename Body>
void with_filter(const SignalMask& mask, Body body) {
  const float ceiling = mask.ceiling;
  switch (mask.rule) {
    case US_SIGNAL_RULE_GRADIENT:
      if (mask.has_ceiling) return body(SignalFilter<true, false, true>{ceiling});
      return body(SignalFilter<true, false, false>{0});
    case US_SIGNAL_RULE_GUIDED:
      if (mask.has_ceiling) return body(SignalFilter<true, true, true>{ceiling});
      return body(SignalFilter<true, true, false>{0});
    case US_SIGNAL_RULE_DECONVNET:
      return body(SignalFilter<false, true, false>{0});
    default:
      return body(SignalFilter<false, false, false>{0});
  }
}

/// dx = filter(dy, y), element by element; dx may be dy or y.
template <typename Filter>
void filter_elements(const Filter& filter, const float* y, const float* dy, float* dx, std::int64_t count) {
  std::int64_t i = 0;
  US_UNROLL
  for (; i + kLanes <= count; i += kLanes) {
    store(dx + i, filter(load(dy + i), Filter::kReadsOutput ? load(y + i) : Floats{}));
  }
  for (; i < count; ++i) dx[i] = filter(dy[i], Filter::kReadsOutput ? y[i] : 0.0F);
}

}  // namespace
}  // namespace us::cpu::US_ISA
