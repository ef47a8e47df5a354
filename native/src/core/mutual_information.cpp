#include "core/mutual_information.hpp"

#include <cmath>
#include <cstddef>

#include "core/checks.hpp"
#include "core/error.hpp"

namespace us {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 53;
constexpr std::int64_t kFloat = sizeof(float);
// Rounding leaves this much of a cone that should have reached 0.
constexpr double kNothing = 1e-12;

us_status check_params(const us_mi_params* params) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  if (params->batch < 0 || params->channels < 0) {
    return fail(US_INVALID_ARGUMENT, "batch and channels must not be negative, they are %lld and %lld",
                (long long)params->batch, (long long)params->channels);
  }
  if (params->size < 1) return fail(US_INVALID_ARGUMENT, "size must be at least 1, it is %d", (int)params->size);
  if (params->size > US_MI_MAX_SIZE) {
    return fail(US_UNSUPPORTED, "maps of %d x %d have too many templates; at most %d x %d are possible", (int)params->size,
                (int)params->size, US_MI_MAX_SIZE, US_MI_MAX_SIZE);
  }
  if (!(params->tau > 0 && std::isfinite(params->tau)) || !(params->beta > 0 && std::isfinite(params->beta))) {
    return fail(US_INVALID_ARGUMENT, "tau and beta must be above 0 and finite, they are %g and %g", params->tau, params->beta);
  }
  if (!(params->alpha >= 0 && params->alpha <= 1)) {
    return fail(US_INVALID_ARGUMENT, "alpha must be 0 to 1, it is %g", params->alpha);
  }
  const std::int64_t limit = kMaxElements / template_count(*params);
  if (params->channels > limit || (params->channels > 0 && params->batch > limit / params->channels)) {
    return fail(US_INVALID_ARGUMENT, "%lld x %lld maps of %d x %d are more elements than can be counted",
                (long long)params->batch, (long long)params->channels, (int)params->size, (int)params->size);
  }
  return US_OK;
}

struct Region {
  const char* name;
  const void* start;
  std::int64_t bytes;
};

/// `output` may not be NULL unless it is empty, nor overlap an input.
template <std::size_t Count>
us_status check_regions(const Region& output, const Region (&inputs)[Count]) {
  if (output.bytes == 0) return US_OK;
  if (output.start == nullptr) return fail(US_INVALID_ARGUMENT, "%s must not be NULL", output.name);
  const auto from = reinterpret_cast<std::uintptr_t>(output.start);
  for (const Region& input : inputs) {
    if (input.bytes == 0) continue;
    if (input.start == nullptr) return fail(US_INVALID_ARGUMENT, "%s must not be NULL", input.name);
    const auto at = reinterpret_cast<std::uintptr_t>(input.start);
    if (at < from + static_cast<std::uintptr_t>(output.bytes) && from < at + static_cast<std::uintptr_t>(input.bytes)) {
      return fail(US_INVALID_ARGUMENT, "%s and %s overlap in memory; give each its own", input.name, output.name);
    }
  }
  return US_OK;
}

std::int64_t map_count(const us_mi_params& params) { return params.batch * params.channels; }

std::int64_t map_bytes(const us_mi_params& params) { return map_count(params) * (template_count(params) - 1) * kFloat; }

std::int64_t log_z_bytes(const us_mi_params& params, const float* log_z) {
  return log_z == nullptr ? 0 : params.channels * template_count(params) * kFloat;
}

us_status check_mode(us_mi_mode mode, const us_mi_released* released, const float* log_z) {
  if (mode < US_MI_EXACT || mode > US_MI_RELEASED) {
    return fail(US_INVALID_ARGUMENT, "mode %d is unknown; there are 0 (exact), 1 (frozen), 2 (one-template), 3 (released)",
                (int)mode);
  }
  if (log_z != nullptr && (mode == US_MI_EXACT || mode == US_MI_RELEASED)) {
    return fail(US_INVALID_ARGUMENT, "log_z is a constant, which the modes exact and released do not have; use frozen");
  }
  if (mode != US_MI_RELEASED) return US_OK;
  if (released == nullptr) return fail(US_INVALID_ARGUMENT, "released must not be NULL");
  if (!std::isfinite(released->magnitude) || !std::isfinite(released->positive_weight) ||
      !std::isfinite(released->negative_weight)) {
    return fail(US_INVALID_ARGUMENT, "magnitude and weights must be finite, they are %g, %g, %g", released->magnitude,
                released->positive_weight, released->negative_weight);
  }
  return US_OK;
}

}  // namespace

Cone cone_of(const us_mi_params& params) {
  const double step = params.beta / params.size;
  const auto value = [&](std::int64_t distance) { return 2 - step * static_cast<double>(distance); };
  const std::int64_t beyond = 2 * static_cast<std::int64_t>(params.size) - 1;
  std::int64_t height = 1;
  while (height < beyond && value(height) > kNothing) ++height;
  if (value(height) > kNothing) return {params.size, height, step, 1, value(height)};
  const double share = value(height - 1) / step;
  return {params.size, height, step, share > 1 - kNothing ? 1 : share, 0};
}

us_status check_template_scores(const us_mi_params* params, const float* x, float* scores) {
  const us_status status = check_params(params);
  if (status != US_OK) return status;
  return check_regions<1>({"scores", scores, map_count(*params) * template_count(*params) * kFloat},
                          {{"x", x, map_bytes(*params)}});
}

us_status check_mi_loss(const us_mi_params* params, const float* x, const float* log_z, float* loss) {
  const us_status status = check_params(params);
  if (status != US_OK) return status;
  return check_regions<2>({"loss", loss, params->channels * kFloat},
                          {{"x", x, map_bytes(*params)}, {"log_z", log_z, log_z_bytes(*params, log_z)}});
}

us_status check_mi_gradient(const us_mi_params* params, us_mi_mode mode, const us_mi_released* released, const float* x,
                            const uint8_t* targets, const float* slopes, const float* log_z, float* dx) {
  us_status status = check_params(params);
  if (status == US_OK) status = check_mode(mode, released, log_z);
  if (status != US_OK) return status;
  const bool by_category = mode == US_MI_ONE_TEMPLATE || mode == US_MI_RELEASED;
  return check_regions<4>({"dx", dx, map_bytes(*params)},
                          {{"x", x, map_bytes(*params)},
                           {"targets", targets, by_category ? map_count(*params) : 0},
                           {"slopes", slopes, mode == US_MI_RELEASED ? params->channels * kFloat : 0},
                           {"log_z", log_z, log_z_bytes(*params, log_z)}});
}

}  // namespace us
