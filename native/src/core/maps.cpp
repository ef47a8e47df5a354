#include "core/checks.hpp"
#include "core/error.hpp"
#include "core/spans.hpp"

namespace us {
namespace {

constexpr std::int64_t kMaxCells = 0x7fffffff;
constexpr std::int64_t kMaxBytes = std::int64_t{1} << 55;

us_status check_maps(const us_maps_params* params) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const auto& [maps, height, width] = *params;
  if (maps < 0) return fail(US_INVALID_ARGUMENT, "maps must not be negative, they are %lld", (long long)maps);
  if (height < 1 || width < 1 || std::int64_t{height} * width > kMaxCells) {
    return fail(US_INVALID_ARGUMENT, "a map must have 1 to 2^31 - 1 cells, it has %d x %d", (int)height, (int)width);
  }
  // A map's moments may take more bytes than its cells.
  constexpr std::int64_t kMoments = US_MOMENT_COUNT * sizeof(double);
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(std::int64_t{height} * width * 4 + kMoments, maps, &bytes) || bytes > kMaxBytes) {
    return fail(US_INVALID_ARGUMENT, "%lld maps of %d x %d cells are more elements than can be counted", (long long)maps,
                (int)height, (int)width);
  }
  return US_OK;
}

std::int64_t bytes_of_cells(const us_maps_params& params) { return params.maps * params.height * params.width * 4; }

}  // namespace

us_status check_argmax_maps(const us_maps_params* params, us_argmax_ties ties, const float* x, int32_t* index,
                            float* value) {
  if (ties != US_ARGMAX_ROW_MAJOR && ties != US_ARGMAX_COLUMN_MAJOR) {
    return fail(US_INVALID_ARGUMENT, "ties %d is unknown; there are 0 (row-major) and 1 (column-major)", (int)ties);
  }
  const us_status status = check_maps(params);
  if (status != US_OK) return status;
  return check_array_spans<3>({{"x", x, bytes_of_cells(*params), false},
                               {"index", index, params->maps * 4, true},
                               {"value", value, params->maps * 4, true}});
}

us_status check_map_moments(const us_maps_params* params, int32_t rectified, const float* x, double* moments) {
  if (rectified != 0 && rectified != 1) {
    return fail(US_INVALID_ARGUMENT, "rectified must be 0 or 1, it is %d", (int)rectified);
  }
  const us_status status = check_maps(params);
  if (status != US_OK) return status;
  constexpr std::int64_t kMoments = US_MOMENT_COUNT * sizeof(double);
  return check_array_spans<2>(
      {{"x", x, bytes_of_cells(*params), false}, {"moments", moments, params->maps * kMoments, true}});
}

}  // namespace us
