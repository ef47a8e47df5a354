#pragma once

#include <cstdint>

#include "unitscope/mutual_information.h"

namespace us {

/// The cone max(2 - beta |d|_1 / n, 0) over the distances that occur in a map, as a sum of pyramids of whole height,
/// pyramid_k(d) = max(k - |d|_1, 0):
///
///   cone(d) = level + step * (share * pyramid_height(d) + (1 - share) * pyramid_(height - 1)(d))
///
/// Computed outside the instruction sets' code, so that all of them work with the same numbers.
struct Cone {
  std::int64_t size;
  std::int64_t height;  // 1 to 2n - 1, where no distance of a map reaches the foot
  double step;          // from one distance to the next
  double share;         // above 0 and at most 1; 1 where the foot lies on a cell
  double level;         // above 0 only where the foot lies beyond every distance
};

Cone cone_of(const us_mi_params& params);

/// What the templates and the prior make of one map: n^2 positive templates and the negative one.
[[gnu::always_inline]] inline std::int64_t template_count(const us_mi_params& params) {
  return static_cast<std::int64_t>(params.size) * params.size + 1;
}

}  // namespace us
