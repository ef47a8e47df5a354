#include <cmath>

#include "core/checks.hpp"
#include "core/error.hpp"
#include "core/spans.hpp"

namespace us {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 53;

us_status check_size_and_height(std::int32_t size, float height) {
  if (size < 1 || size > US_MAX_MASK_SIZE) {
    return fail(US_INVALID_ARGUMENT, "size must be 1 to %d, it is %d", US_MAX_MASK_SIZE, (int)size);
  }
  if (!std::isfinite(height) || height <= 0) {
    return fail(US_INVALID_ARGUMENT, "height must be finite and above 0, it is %g", static_cast<double>(height));
  }
  return US_OK;
}

us_status check_mask(const us_mask_params* params) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const us_status status = check_size_and_height(params->size, params->height);
  if (status != US_OK) return status;
  if (params->batch < 0 || params->channels < 0) {
    return fail(US_INVALID_ARGUMENT, "batch and channels must not be negative, they are %lld and %lld",
                (long long)params->batch, (long long)params->channels);
  }
  const std::int64_t cells = std::int64_t{params->size} * params->size;
  const std::int64_t channels = params->channels > 0 ? params->channels : 1;
  if (channels > kMaxElements / cells || params->batch > kMaxElements / cells / channels) {
    return fail(US_INVALID_ARGUMENT, "%lld x %lld maps of %lld cells are more elements than can be counted",
                (long long)params->batch, (long long)params->channels, (long long)cells);
  }
  return US_OK;
}

/// Bytes of the arrays a mask works on; there is nothing to read beta for in an empty batch.
struct Sizes {
  std::int64_t cells;
  std::int64_t places;
  std::int64_t channels;
};

Sizes sizes_of(const us_mask_params& params) {
  const std::int64_t maps = params.batch * params.channels;
  constexpr std::int64_t kElement = 4;
  return {maps * params.size * params.size * kElement, maps * kElement, maps > 0 ? params.channels * kElement : 0};
}

}  // namespace

us_status check_mask_forward(const us_mask_params* params, us_mask_location location, const float* x, const float* beta,
                             float* y, int32_t* mu) {
  if (location != US_MASK_ARGMAX && location != US_MASK_CENTROID) {
    return fail(US_INVALID_ARGUMENT, "location %d is unknown; there are 0 (argmax) and 1 (centroid)", (int)location);
  }
  const us_status status = check_mask(params);
  if (status != US_OK) return status;
  const Sizes sizes = sizes_of(*params);
  return check_array_spans<4>({{"x", x, sizes.cells, false},
                               {"beta", beta, sizes.channels, false},
                               {"y", y, sizes.cells, true},
                               {"mu", mu, sizes.places, true}});
}

us_status check_mask_backward(const us_mask_params* params, const float* dy, const float* x, const float* beta,
                              const int32_t* mu, float* dx) {
  const us_status status = check_mask(params);
  if (status != US_OK) return status;
  const Sizes sizes = sizes_of(*params);
  return check_array_spans<5>({{"dy", dy, sizes.cells, false},
                               {"x", x, x == nullptr ? 0 : sizes.cells, false},
                               {"beta", beta, sizes.channels, false},
                               {"mu", mu, sizes.places, false},
                               {"dx", dx, sizes.cells, true}});
}

}  // namespace us

us_status us_template_bank(int32_t size, float height, float beta, float* templates) {
  const us_status status = us::check_size_and_height(size, height);
  if (status != US_OK) return status;
  if (!std::isfinite(beta) || beta < 0) {
    return us::fail(US_INVALID_ARGUMENT, "beta must be finite and at least 0, it is %g", static_cast<double>(beta));
  }
  const std::int64_t cells = std::int64_t{size} * size;
  if (cells > us::kMaxElements / cells) {
    return us::fail(US_INVALID_ARGUMENT, "%lld templates of %lld cells are more elements than can be counted",
                    (long long)cells, (long long)cells);
  }
  if (templates == nullptr) return us::fail(US_INVALID_ARGUMENT, "templates must not be NULL");
  const auto side = static_cast<float>(size);
  for (int mu = 0; mu < cells; ++mu) {
    for (int row = 0; row < size; ++row) {
      for (int column = 0; column < size; ++column) {
        const int distance = std::abs(row - mu / size) + std::abs(column - mu % size);
        const float slope = (side - beta * static_cast<float>(distance)) / side;
        *templates++ = height * (slope > -1.0F ? slope : -1.0F);
      }
    }
  }
  return US_OK;
}
