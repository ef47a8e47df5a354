#pragma once

#include <cmath>
#include <limits>

#include "harness.hpp"
#include "operators/reference.hpp"

/// Small whole numbers, so that there are ties, zeros and ceilings that are met; now and then what is not finite.
inline Array tied_values(Generator& generator, std::size_t size, bool not_finite = false) {
  Array values(size);
  for (float& value : values) {
    value = static_cast<float>(generator.integer(-3, 6));
    if (not_finite && generator.integer(0, 15) == 0) value = std::numeric_limits<float>::quiet_NaN();
    if (not_finite && generator.integer(0, 15) == 0) value = -std::numeric_limits<float>::infinity();
    if (not_finite && generator.integer(0, 15) == 0) value = std::numeric_limits<float>::infinity();
  }
  return values;
}

inline Array random_values(Generator& generator, std::size_t size) {
  Array values(size);
  for (float& value : values) value = generator.real();
  return values;
}

inline Rule random_rule(Generator& generator) {
  return {static_cast<us_signal_rule>(generator.integer(0, 3)), generator.integer(0, 2) == 0 ? 4.0F : 0.0F};
}

inline bool same_value(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }
