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

}  // namespace
}  // namespace us::cpu::US_ISA
