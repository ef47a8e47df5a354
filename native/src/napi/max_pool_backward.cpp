#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { params, rule: 0 to 3, x: Float32Array, dy: Float32Array, dx: Float32Array (written) }
struct MaxPoolBackward final : Job {
  explicit MaxPoolBackward(Arguments& from)
      : params(from.pool2d()),
        rule(static_cast<us_signal_rule>(from.integer("rule", US_SIGNAL_RULE_NONE, US_SIGNAL_RULE_DECONVNET))),
        x(from.input<float>("x", from.count({params.planes, params.height, params.width}))),
        dy(from.input<float>("dy", from.count({params.planes, params.out_height, params.out_width}))),
        dx(from.output<float>("dx", from.count({params.planes, params.height, params.width}))) {}

  us_status run(const us_execution& execution) override {
    return us_max_pool_backward(&execution, &params, rule, x.as<float>(), dy.as<float>(), dx.as<float>());
  }

  us_pool2d_params params;
  us_signal_rule rule;
  Buffer& x;
  Buffer& dy;
  Buffer& dx;
};

}  // namespace

std::unique_ptr<Job> bind_max_pool_backward(Arguments& from) { return std::make_unique<MaxPoolBackward>(from); }

}  // namespace us::node
