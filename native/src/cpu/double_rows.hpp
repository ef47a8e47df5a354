#pragma once

#include "cpu/exponential.hpp"

namespace us::cpu::US_ISA {
namespace {

// Rows of eight are whole vectors of every instruction set: each lane sees the same operations, so that all instruction
// sets give the same bits.
constexpr std::int64_t kRow = 8;
constexpr std::int64_t kParts = kRow / kDoubleLanes;

struct Row {
  Doubles part[kParts];
};

using UnalignedDoubles [[gnu::vector_size(kDoubleLanes * 8), gnu::aligned(8), gnu::may_alias]] = double;

// Vector by vector, so that rows stay in registers: copied as a whole they go through memory.
inline Row load_row(const double* from) {
  Row row;
  for (std::int64_t i = 0; i < kParts; ++i) {
    row.part[i] = *reinterpret_cast<const UnalignedDoubles*>(from + i * kDoubleLanes);
  }
  return row;
}

inline void store_row(double* to, const Row& row) {
  for (std::int64_t i = 0; i < kParts; ++i) *reinterpret_cast<UnalignedDoubles*>(to + i * kDoubleLanes) = row.part[i];
}

template <typename Operation, typename... Rows>
inline Row for_each_part(Operation operation, const Rows&... rows) {
  Row result;
  for (std::int64_t i = 0; i < kParts; ++i) result.part[i] = operation(rows.part[i]...);
  return result;
}

inline Row operator+(const Row& a, const Row& b) {
  return for_each_part([](Doubles x, Doubles y) { return x + y; }, a, b);
}
inline Row operator*(const Row& a, const Row& b) {
  return for_each_part([](Doubles x, Doubles y) { return x * y; }, a, b);
}
inline Row operator*(const Row& a, double factor) {
  return for_each_part([factor](Doubles x) { return x * factor; }, a);
}
inline Row operator+(const Row& a, double term) {
  return for_each_part([term](Doubles x) { return x + term; }, a);
}

}  // namespace
}  // namespace us::cpu::US_ISA
