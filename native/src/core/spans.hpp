#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"

namespace us {

/// An array that a kernel was given.
struct ArraySpan {
  const char* name;
  const void* start;
  std::int64_t bytes;
  bool written;
};

/// Nothing may be NULL unless it is empty, and what is written must not overlap anything.
template <std::size_t Count>
us_status check_array_spans(const ArraySpan (&spans)[Count]) {
  for (const ArraySpan& span : spans) {
    if (span.bytes > 0 && span.start == nullptr) return fail(US_INVALID_ARGUMENT, "%s must not be NULL", span.name);
  }
  for (std::size_t a = 0; a < Count; ++a) {
    for (std::size_t b = a + 1; b < Count; ++b) {
      const ArraySpan& one = spans[a];
      const ArraySpan& other = spans[b];
      if ((!one.written && !other.written) || one.bytes == 0 || other.bytes == 0) continue;
      const auto one_at = reinterpret_cast<std::uintptr_t>(one.start);
      const auto other_at = reinterpret_cast<std::uintptr_t>(other.start);
      if (one_at < other_at + static_cast<std::uintptr_t>(other.bytes) &&
          other_at < one_at + static_cast<std::uintptr_t>(one.bytes)) {
        return fail(US_INVALID_ARGUMENT, "%s and %s overlap in memory; give each its own", one.name, other.name);
      }
    }
  }
  return US_OK;
}

}  // namespace us
