#pragma once

#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

/// Lines of terms that are multiplied with other such lines: the rows of A, the columns of B. Term p of line i lies at
/// data[i * line + p * term]; one of the two distances is 1.
struct Lines {
  const float* data;
  std::int64_t count;
  std::int64_t line;
  std::int64_t term;
  const double* scales;  // what each line is multiplied with as it is packed, or NULL
};

inline float scaled(float value, double scale) { return static_cast<float>(static_cast<double>(value) * scale); }

/// Some terms of up to `Width` lines, one term of all lines after the other; lines that are not there are zeros.
template <std::int64_t Width>
void pack_panel(const Lines& from, std::int64_t first_line, std::int64_t lines, std::int64_t first_term, std::int64_t terms,
                float* to) {
  const float* const start = from.data + first_line * from.line + first_term * from.term;
  if (lines == Width && from.line == 1) {
    for (std::int64_t p = 0; p < terms; ++p) {
      __builtin_memcpy(to + p * Width, start + p * from.term, Width * sizeof(float));
    }
  } else if (lines == Width) {
    for (std::int64_t p = 0; p < terms; ++p) {
      for (std::int64_t i = 0; i < Width; ++i) to[p * Width + i] = start[i * from.line + p];
    }
  } else {
    for (std::int64_t p = 0; p < terms; ++p) {
      for (std::int64_t i = 0; i < Width; ++i) {
        to[p * Width + i] = i < lines ? start[i * from.line + p * from.term] : 0.0F;
      }
    }
  }
  if (from.scales == nullptr) return;
  for (std::int64_t p = 0; p < terms; ++p) {
    for (std::int64_t i = 0; i < lines; ++i) to[p * Width + i] = scaled(to[p * Width + i], from.scales[first_line + i]);
  }
}

}  // namespace
}  // namespace us::cpu::US_ISA
