#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { params, x: Float32Array, dy: Float32Array, dx: Float32Array (written) }
struct MaxPoolBackward final : Job {
  explicit MaxPoolBackward(Arguments& from)
      : params(from.pool2d()),
        x(from.input<float>("x", from.count({params.planes, params.height, params.width}))),
        dy(from.input<float>("dy", from.count({params.planes, params.out_height, params.out_width}))),
        dx(from.output<float>("dx", from.count({params.planes, params.height, params.width}))) {}

  us_status run(const us_execution& execution) override {
    return us_max_pool_backward(&execution, &params, x.as<float>(), dy.as<float>(), dx.as<float>());
  }

  us_pool2d_params params;
  Buffer& x;
  Buffer& dy;
  Buffer& dx;
};

}  // namespace

std::unique_ptr<Job> bind_max_pool_backward(Arguments& from) { return std::make_unique<MaxPoolBackward>(from); }

}  // namespace us::node
