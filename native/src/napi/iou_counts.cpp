#include <limits>

#include "core/error.hpp"
#include "napi/bindings.hpp"

namespace us::node {
namespace {

us_iou_params params_of(const Arguments& from) {
  const auto size = [&](const char* name) {
    return static_cast<std::int32_t>(from.integer(name, 0, std::numeric_limits<std::int32_t>::max()));
  };
  us_iou_params params{};
  params.images = size("images");
  params.units = size("units");
  params.height = size("height");
  params.width = size("width");
  params.out_height = size("outHeight");
  params.out_width = size("outWidth");
  params.layers = size("layers");
  params.image_labels = size("imageLabelCount");
  params.concepts = size("concepts");
  params.categories = size("categories");
  params.edge = static_cast<us_iou_edge>(from.integer("edge", US_IOU_EDGE_CLAMP, US_IOU_EDGE_ZERO));
  params.origin[0] = from.number("originY");
  params.origin[1] = from.number("originX");
  params.step[0] = from.number("stepY");
  params.step[1] = from.number("stepX");
  return params;
}

/// { images, units, ... as us_iou_params, x: Float32Array, thresholds: Float64Array, pixelLabels, imageLabels, categoryOf:
/// Int32Array, intersection, labelPixels, categoryArea, area: BigInt64Array (updated) }
struct IouCounts final : Job {
  explicit IouCounts(Arguments& from)
      : params(params_of(from)),
        x(from.input<float>("x", from.count({params.images, params.units, params.height, params.width}))),
        thresholds(from.input<double>("thresholds", params.units)),
        pixel_labels(from.input<std::int32_t>(
            "pixelLabels", from.count({params.images, params.layers, params.out_height, params.out_width}))),
        image_labels(from.input<std::int32_t>("imageLabels", from.count({params.images, params.image_labels}))),
        category_of(from.input<std::int32_t>("categoryOf", params.concepts)),
        intersection(from.updated<std::int64_t>("intersection", from.count({params.units, params.concepts}))),
        label_pixels(from.updated<std::int64_t>("labelPixels", params.concepts)),
        category_area(from.updated<std::int64_t>("categoryArea", from.count({params.units, params.categories}))),
        area(from.updated<std::int64_t>("area", params.units)) {}

  us_status run(const us_execution& execution) override {
    if (execution.backend != US_BACKEND_CPU) {
      const us_status status = check_labels();
      if (status != US_OK) return status;
    }
    return us_iou_counts(&execution, &params, x.as<float>(), thresholds.as<double>(), pixel_labels.as<std::int32_t>(),
                         image_labels.as<std::int32_t>(), category_of.as<std::int32_t>(), intersection.as<std::int64_t>(),
                         label_pixels.as<std::int64_t>(), category_area.as<std::int64_t>(), area.as<std::int64_t>());
  }

  /// The CPU checks labels itself. A device does not, but it ignores one that is wrong, so that labels which lie there
  /// need not be fetched.
  us_status check_labels() const {
    if (category_of.on_host<std::int32_t>() == nullptr) {
      return fail(US_INVALID_ARGUMENT, "categoryOf must be a typed array, because it is checked before the call");
    }
    us_iou_params checked = params;
    if (pixel_labels.on_host<std::int32_t>() == nullptr) checked.layers = 0;
    if (image_labels.on_host<std::int32_t>() == nullptr) checked.image_labels = 0;
    return us_iou_check_labels(&checked, pixel_labels.on_host<std::int32_t>(), image_labels.on_host<std::int32_t>(),
                               category_of.on_host<std::int32_t>());
  }

  us_iou_params params;
  Buffer& x;
  Buffer& thresholds;
  Buffer& pixel_labels;
  Buffer& image_labels;
  Buffer& category_of;
  Buffer& intersection;
  Buffer& label_pixels;
  Buffer& category_area;
  Buffer& area;
};

}  // namespace

std::unique_ptr<Job> bind_iou_counts(Arguments& from) { return std::make_unique<IouCounts>(from); }

}  // namespace us::node
