#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { maps, height, width, rectified: 0 | 1, x: Float32Array, moments: Float64Array (written) }
struct MapMoments final : Job {
  explicit MapMoments(Arguments& from)
      : params(from.maps()),
        rectified(static_cast<std::int32_t>(from.integer("rectified", 0, 1))),
        x(from.input<float>("x", from.count({params.maps, params.height, params.width}))),
        moments(from.output<double>("moments", from.count({params.maps, US_MOMENT_COUNT}))) {}

  us_status run(const us_execution& execution) override {
    return us_map_moments(&execution, &params, rectified, x.as<float>(), moments.as<double>());
  }

  us_maps_params params;
  std::int32_t rectified;
  Buffer& x;
  Buffer& moments;
};

}  // namespace

std::unique_ptr<Job> bind_map_moments(Arguments& from) { return std::make_unique<MapMoments>(from); }

}  // namespace us::node
