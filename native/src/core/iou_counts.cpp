#include "core/iou_counts.hpp"

#include <cmath>
#include <initializer_list>

#include "core/checks.hpp"
#include "core/error.hpp"
#include "core/spans.hpp"

namespace us {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 53;

/// The product of sizes, or -1 if it is more than can be counted.
template <typename... Sizes>
std::int64_t product_of(Sizes... sizes) {
  std::int64_t product = 1;
  bool fits = true;
  for (const std::int64_t size : {static_cast<std::int64_t>(sizes)...}) {
    fits = fits && !__builtin_mul_overflow(product, size, &product) && product <= kMaxElements;
  }
  return fits ? product : -1;
}

struct IouCounts {
  std::int64_t cells;
  std::int64_t pixel_labels;
  std::int64_t image_labels;
  std::int64_t intersections;
  std::int64_t categories;
};

IouCounts counts_of(const us_iou_params& params) {
  return {product_of(params.images, params.units, params.height, params.width),
          product_of(params.images, params.layers, params.out_height, params.out_width),
          product_of(params.images, params.image_labels), product_of(params.units, params.concepts),
          product_of(params.units, params.categories)};
}

us_status check_params(const us_iou_params* params) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const us_iou_params& p = *params;
  if (p.images < 0 || p.units < 0 || p.layers < 0 || p.image_labels < 0 || p.categories < 0) {
    return fail(US_INVALID_ARGUMENT, "images, units, layers, image_labels and categories must not be negative");
  }
  if (p.height < 1 || p.width < 1 || p.out_height < 1 || p.out_width < 1 || p.concepts < 1) {
    return fail(US_INVALID_ARGUMENT, "maps of %d x %d, labels of %d x %d and %d concepts must all be at least 1", p.height,
                p.width, p.out_height, p.out_width, p.concepts);
  }
  if (p.edge != US_IOU_EDGE_CLAMP && p.edge != US_IOU_EDGE_ZERO) {
    return fail(US_INVALID_ARGUMENT, "edge %d is unknown; there are 0 (clamp) and 1 (zero)", (int)p.edge);
  }
  for (int axis = 0; axis < 2; ++axis) {
    if (!std::isfinite(p.origin[axis]) || !std::isfinite(p.step[axis]) || p.step[axis] <= 0) {
      return fail(US_INVALID_ARGUMENT, "the origin must be finite and the step finite and positive, they are %g and %g",
                  p.origin[axis], p.step[axis]);
    }
  }
  const IouCounts counts = counts_of(p);
  if (counts.cells < 0 || counts.pixel_labels < 0 || counts.image_labels < 0) {
    return fail(US_INVALID_ARGUMENT, "the sizes describe more elements than can be counted");
  }
  return US_OK;
}

/// The first element outside low to high, or -1.
std::int64_t find_outside(const std::int32_t* values, std::int64_t count, std::int32_t low, std::int32_t high) {
  constexpr std::int64_t kBlock = 1024;
  for (std::int64_t start = 0; start < count; start += kBlock) {
    const std::int64_t end = start + kBlock < count ? start + kBlock : count;
    // One pass without branches decides the common case; it vectorises.
    std::int32_t outside = 0;
    for (std::int64_t i = start; i < end; ++i) outside |= (values[i] < low ? 1 : 0) | (values[i] > high ? 1 : 0);
    if (outside == 0) continue;
    for (std::int64_t i = start; i < end; ++i) {
      if (values[i] < low || values[i] > high) return i;
    }
  }
  return -1;
}

}  // namespace

us_status check_iou_labels(const us_iou_params& params, const std::int32_t* pixel_labels, const std::int32_t* image_labels,
                           const std::int32_t* category_of) {
  const IouCounts counts = counts_of(params);
  const std::int32_t largest = params.concepts - 1;
  if (const std::int64_t at = find_outside(pixel_labels, counts.pixel_labels, 0, largest); at >= 0) {
    const std::int64_t pixels = static_cast<std::int64_t>(params.out_height) * params.out_width;
    return fail(US_BAD_INPUT, "pixel label %d of layer %lld in image %lld is not from 0 to %d", pixel_labels[at],
                (long long)(at / pixels % params.layers), (long long)(at / pixels / params.layers), largest);
  }
  if (const std::int64_t at = find_outside(image_labels, counts.image_labels, 0, largest); at >= 0) {
    return fail(US_BAD_INPUT, "label %d of image %lld is not from 0 to %d", image_labels[at],
                (long long)(at / params.image_labels), largest);
  }
  if (const std::int64_t at = find_outside(category_of, params.concepts, -1, params.categories - 1); at >= 0) {
    return fail(US_BAD_INPUT, "category %d of concept %lld is not from -1 to %d", category_of[at], (long long)at,
                params.categories - 1);
  }
  return US_OK;
}

us_status check_iou_counts(const us_iou_params* params, const float* x, const double* thresholds,
                           const int32_t* pixel_labels, const int32_t* image_labels, const int32_t* category_of,
                           int64_t* intersection, int64_t* label_pixels, int64_t* category_area, int64_t* area) {
  const us_status status = check_params(params);
  if (status != US_OK) return status;
  constexpr std::int64_t kFloat = sizeof(float);
  constexpr std::int64_t kInt = sizeof(std::int32_t);
  constexpr std::int64_t kWide = sizeof(std::int64_t);
  const IouCounts counts = counts_of(*params);
  return check_array_spans<9>({{"x", x, counts.cells * kFloat, false},
                               {"thresholds", thresholds, params->units * kWide, false},
                               {"pixel_labels", pixel_labels, counts.pixel_labels * kInt, false},
                               {"image_labels", image_labels, counts.image_labels * kInt, false},
                               {"category_of", category_of, params->concepts * kInt, false},
                               {"intersection", intersection, counts.intersections * kWide, true},
                               {"label_pixels", label_pixels, params->concepts * kWide, true},
                               {"category_area", category_area, counts.categories * kWide, true},
                               {"area", area, params->units * kWide, true}});
}

}  // namespace us

us_status us_iou_check_labels(const us_iou_params* params, const int32_t* pixel_labels, const int32_t* image_labels,
                              const int32_t* category_of) {
  const us_status status = us::check_params(params);
  if (status != US_OK) return status;
  const us::IouCounts counts = us::counts_of(*params);
  if (category_of == nullptr || (counts.pixel_labels > 0 && pixel_labels == nullptr) ||
      (counts.image_labels > 0 && image_labels == nullptr)) {
    return us::fail(US_INVALID_ARGUMENT, "labels and category_of must not be NULL");
  }
  return us::check_iou_labels(*params, pixel_labels, image_labels, category_of);
}
