#pragma once

#include <cstdint>

#include "unitscope/graph_em_step.h"

namespace us {

/// The half range of a node's search, in cells.
[[gnu::always_inline]] inline std::int64_t graph_radius(const us_graph_params& params, double sigma) {
  const double reach = 3 * sigma < params.range ? 3 * sigma : params.range;
  return reach >= 0 ? static_cast<std::int64_t>(reach + 0.5) : 0;
}

/// The largest half range that any node can have.
[[gnu::always_inline]] inline std::int64_t graph_largest_radius(const us_graph_params& params) {
  return static_cast<std::int64_t>(params.range + 0.5);
}

}  // namespace us
