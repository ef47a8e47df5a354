#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { batch, channels, size, height, location: 0 | 1, x: Float32Array, beta: Float32Array, y: Float32Array (written),
///   mu: Int32Array (written) }
struct MaskForward final : Job {
  explicit MaskForward(Arguments& from)
      : params(from.mask()),
        location(static_cast<us_mask_location>(from.integer("location", US_MASK_ARGMAX, US_MASK_CENTROID))),
        x(from.input<float>("x", from.count({params.batch, params.channels, params.size, params.size}))),
        beta(from.input<float>("beta", params.channels)),
        y(from.output<float>("y", from.count({params.batch, params.channels, params.size, params.size}))),
        mu(from.output<std::int32_t>("mu", from.count({params.batch, params.channels}))) {}

  us_status run(const us_execution& execution) override {
    return us_mask_forward(&execution, &params, location, x.as<float>(), beta.as<float>(), y.as<float>(),
                           mu.as<std::int32_t>());
  }

  us_mask_params params;
  us_mask_location location;
  Buffer& x;
  Buffer& beta;
  Buffer& y;
  Buffer& mu;
};

}  // namespace

std::unique_ptr<Job> bind_mask_forward(Arguments& from) { return std::make_unique<MaskForward>(from); }

}  // namespace us::node
