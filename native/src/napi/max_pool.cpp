#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { params, x: Float32Array, y: Float32Array (written), switches: Uint8Array (written) }
struct MaxPool final : Job {
  explicit MaxPool(Arguments& from)
      : params(from.pool2d()),
        x(from.input<float>("x", from.count({params.planes, params.height, params.width}))),
        y(from.output<float>("y", from.count({params.planes, params.out_height, params.out_width}))),
        switches(from.output<std::uint8_t>("switches", from.count({params.planes, params.out_height, params.out_width}))) {}

  us_status run(const us_execution& execution) override {
    return us_max_pool(&execution, &params, x.as<float>(), y.as<float>(), switches.as<std::uint8_t>());
  }

  us_pool2d_params params;
  Buffer& x;
  Buffer& y;
  Buffer& switches;
};

}  // namespace

std::unique_ptr<Job> bind_max_pool(Arguments& from) { return std::make_unique<MaxPool>(from); }

}  // namespace us::node
