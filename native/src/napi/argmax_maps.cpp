#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { maps, height, width, ties: 0 | 1, x: Float32Array, index: Int32Array (written), value: Float32Array (written) }
struct ArgmaxMaps final : Job {
  explicit ArgmaxMaps(Arguments& from)
      : params(from.maps()),
        ties(static_cast<us_argmax_ties>(from.integer("ties", US_ARGMAX_ROW_MAJOR, US_ARGMAX_COLUMN_MAJOR))),
        x(from.input<float>("x", from.count({params.maps, params.height, params.width}))),
        index(from.output<std::int32_t>("index", params.maps)),
        value(from.output<float>("value", params.maps)) {}

  us_status run(const us_execution& execution) override {
    return us_argmax_maps(&execution, &params, ties, x.as<float>(), index.as<std::int32_t>(), value.as<float>());
  }

  us_maps_params params;
  us_argmax_ties ties;
  Buffer& x;
  Buffer& index;
  Buffer& value;
};

}  // namespace

std::unique_ptr<Job> bind_argmax_maps(Arguments& from) { return std::make_unique<ArgmaxMaps>(from); }

}  // namespace us::node
