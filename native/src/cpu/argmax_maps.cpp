#include "unitscope/argmax_maps.h"

#include "cpu/isa.hpp"
#include "cpu/map_location.hpp"
#include "cpu/run_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  std::int64_t cells;
  std::int64_t width;
  us_argmax_ties ties;
  const float* x;
  std::int32_t* index;
  float* value;
};

/// Whether a cell ties with the one that was found: NaN with NaN.
bool ties_with(float value, float found) { return value == found || (value != value && found != found); }

/// The first of the largest cells in column-major order, given the first in row-major order: only cells of later rows and
/// earlier columns can come before it, so a map of zeros is done at once.
std::int32_t first_by_columns(const float* x, std::int64_t cells, std::int64_t width, std::int32_t first) {
  std::int64_t best = first;
  std::int64_t column = remainder(best, width);
  const float found = x[first];
  const Floats all_found = splat(found);
  const bool is_number = found == found;
  std::int64_t cell = best + 1;
  while (cell < cells && column > 0) {
    if (is_number && cell + kLanes <= cells && !any(load(x + cell) == all_found)) {
      cell += kLanes;
      continue;
    }
    const std::int64_t end = cell + kLanes <= cells ? cell + kLanes : cells;
    for (; cell < end; ++cell) {
      if (!ties_with(x[cell], found)) continue;
      const std::int64_t its_column = remainder(cell, width);
      if (its_column >= column) continue;
      best = cell;
      column = its_column;
    }
  }
  return static_cast<std::int32_t>(best);
}

/// One item is one map.
class Worker {
 public:
  explicit Worker(const Call& call) : call_(call) {}

  void layout(Arena& /*arena*/) {}

  us_status run(std::int64_t begin, std::int64_t end) const {
    for (std::int64_t map = begin; map < end; ++map) {
      const float* const x = call_.x + map * call_.cells;
      std::int32_t found = first_maximum(x, call_.cells);
      if (call_.ties == US_ARGMAX_COLUMN_MAJOR) found = first_by_columns(x, call_.cells, call_.width, found);
      call_.index[map] = found;
      call_.value[map] = x[found];
    }
    return US_OK;
  }

 private:
  const Call& call_;
};

}  // namespace

us_status argmax_maps(const us_execution* execution, const us_maps_params* params, us_argmax_ties ties, const float* x,
                      int32_t* index, float* value) {
  const std::int64_t cells = std::int64_t{params->height} * params->width;
  const Call call{cells, params->width, ties, x, index, value};
  return run_rows<Worker>(*execution, params->maps, cells, call);
}

}  // namespace us::cpu::US_ISA
