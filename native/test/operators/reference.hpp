#pragma once

#include <cstdint>
#include <vector>

#include "pooling_reference.hpp"

// The definitions of the operators on NCHW arrays, element by element.

using Array = std::vector<float>;

/// A rule of a rectifier; a ceiling of 0 is none.
struct Rule {
  us_signal_rule rule;
  float ceiling;
};

inline float through(const Rule& rule, float signal, float y) {
  const bool cut = rule.ceiling > 0 && !(y < rule.ceiling);
  // A cell at or above the ceiling is as one that is not positive.
  return reference_signal(rule.rule, signal, cut ? -1.0F : y);
}

/// [N, C, cells] from or to memory in blocks: [N, C / block, cells, block].
inline std::size_t blocked_index(std::size_t flat, std::size_t channels, std::size_t cells, std::size_t block) {
  const std::size_t cell = flat % cells;
  const std::size_t channel = flat / cells % channels;
  const std::size_t picture = flat / cells / channels;
  return ((picture * (channels / block) + channel / block) * cells + cell) * block + channel % block;
}

inline Array to_blocks(const Array& plain, std::size_t channels, std::size_t cells, std::size_t block) {
  Array blocked(plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) blocked[blocked_index(i, channels, cells, block)] = plain[i];
  return blocked;
}

inline Array from_blocks(const Array& blocked, std::size_t channels, std::size_t cells, std::size_t block) {
  Array plain(blocked.size());
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = blocked[blocked_index(i, channels, cells, block)];
  return plain;
}

/// One phase of [planes, height, width]: rows a, a + sh, ... and columns b, b + sw, ...
inline Array phase_of(const Array& dx, std::size_t height, std::size_t width, std::size_t sh, std::size_t sw,
                      std::size_t a, std::size_t b) {
  Array phase;
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const std::size_t row = i / width % height;
    if (row % sh == a && i % width % sw == b) phase.push_back(dx[i]);
  }
  return phase;
}
