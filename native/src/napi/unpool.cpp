#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { params, mode: 0 | 1, rule: 0 | 3, y: Float32Array, switches: Uint8Array, x: Float32Array (written) }
struct Unpool final : Job {
  explicit Unpool(Arguments& from)
      : params(from.pool2d()),
        mode(static_cast<us_unpool_mode>(from.integer("mode", US_UNPOOL_ACCUMULATE, US_UNPOOL_OVERWRITE))),
        rule(static_cast<us_signal_rule>(from.integer("rule", US_SIGNAL_RULE_NONE, US_SIGNAL_RULE_DECONVNET))),
        y(from.input<float>("y", from.count({params.planes, params.out_height, params.out_width}))),
        switches(from.input<std::uint8_t>("switches", from.count({params.planes, params.out_height, params.out_width}))),
        x(from.output<float>("x", from.count({params.planes, params.height, params.width}))) {}

  us_status run(const us_execution& execution) override {
    // The CPU checks switches while it reads them. A device does not, but it ignores one that is wrong, so that
    // switches which lie there need not be fetched.
    if (execution.backend != US_BACKEND_CPU && switches.on_host<std::uint8_t>() != nullptr) {
      const us_status status = us_pool2d_check_switches(&params, switches.on_host<std::uint8_t>());
      if (status != US_OK) return status;
    }
    return us_unpool(&execution, &params, mode, rule, y.as<float>(), switches.as<std::uint8_t>(), x.as<float>());
  }

  us_pool2d_params params;
  us_unpool_mode mode;
  us_signal_rule rule;
  Buffer& y;
  Buffer& switches;
  Buffer& x;
};

}  // namespace

std::unique_ptr<Job> bind_unpool(Arguments& from) { return std::make_unique<Unpool>(from); }

}  // namespace us::node
