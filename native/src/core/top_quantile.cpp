#include <initializer_list>

#include "core/checks.hpp"
#include "core/error.hpp"
#include "core/spans.hpp"

namespace us {

us_status check_top_quantile(const us_top_quantile_params* params, const float* values, float* kept, int32_t* filled,
                             float* cutoff) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const us_top_quantile_params& p = *params;
  if (p.images < 0 || p.cells < 0 || p.units < 0) {
    return fail(US_INVALID_ARGUMENT, "images, cells and units must not be negative");
  }
  if (p.keep < 1 || p.capacity <= p.keep) {
    return fail(US_INVALID_ARGUMENT, "keep must be at least 1 and capacity larger than keep, they are %d and %d", p.keep,
                p.capacity);
  }
  constexpr std::int64_t kFloat = sizeof(float);
  constexpr std::int64_t kMaxBytes = std::int64_t{1} << 55;
  std::int64_t bytes = kFloat;
  for (const std::int64_t size : {p.images, static_cast<std::int64_t>(p.units), p.cells}) {
    if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > kMaxBytes) {
      return fail(US_INVALID_ARGUMENT, "the sizes describe more elements than can be counted");
    }
  }
  return check_array_spans<4>({{"values", values, bytes, false},
                               {"kept", kept, static_cast<std::int64_t>(p.units) * p.capacity * kFloat, true},
                               {"filled", filled, p.units * kFloat, true},
                               {"cutoff", cutoff, p.units * kFloat, true}});
}

}  // namespace us
