#pragma once

#include <cstdint>

#include "unitscope/mutual_information.h"

namespace us {

/// The cone max(2 - beta |d|_1 / n, 0), cut to the distances that occur in a map, and its second differences along the
/// vertical: on the row of the cone's tip minus twice its slope, elsewhere only on the two rings at its foot. Computed
/// outside the instruction sets' code, so that all of them work with the same numbers.
struct Cone {
  std::int64_t size;
  std::int64_t radius;  // the largest distance where the cone is above 0
  double step;          // from one distance to the next
  double foot;          // the cone's height at `radius`
  double inner_ring;    // the second difference at distance `radius`; at radius + 1 it is `foot`
};

Cone cone_of(const us_mi_params& params);

/// What the templates and the prior make of one map: n^2 positive templates and the negative one.
[[gnu::always_inline]] inline std::int64_t template_count(const us_mi_params& params) {
  return static_cast<std::int64_t>(params.size) * params.size + 1;
}

}  // namespace us
