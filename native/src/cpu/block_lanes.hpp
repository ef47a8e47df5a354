#pragma once

#include "cpu/simd.hpp"

namespace us::cpu::US_ISA {
namespace {

/// The channels of a block in vectors of this instruction set: kParts of kWidth lanes each.
template <int Block>
struct BlockLanes {
  static constexpr int kWidth = Block < kLanes ? Block : static_cast<int>(kLanes);
  static constexpr int kParts = Block / kWidth;
  using Floats [[gnu::vector_size(kWidth * 4)]] = float;
  using Ints [[gnu::vector_size(kWidth * 4)]] = std::int32_t;

  static Floats load(const float* from) {
    Floats values;
    __builtin_memcpy(&values, from, sizeof values);
    return values;
  }
  static Ints load(const std::int32_t* from) {
    Ints values;
    __builtin_memcpy(&values, from, sizeof values);
    return values;
  }
  static void store(float* to, Floats values) { __builtin_memcpy(to, &values, sizeof values); }
  static void store(std::int32_t* to, Ints values) { __builtin_memcpy(to, &values, sizeof values); }
};

/// Where a value takes the place of the maximum so far. The first one stays, and so does a NaN, which is larger than all
/// numbers and alone differs from itself.
template <typename Lanes>
typename Lanes::Ints takes_place(typename Lanes::Floats value, typename Lanes::Floats best) {
  return ~(value <= best) & ~(best != best);  // NOLINT(misc-redundant-expression)
}

}  // namespace
}  // namespace us::cpu::US_ISA
