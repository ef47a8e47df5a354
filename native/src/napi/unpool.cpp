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
        switches_on_host(switches.as<std::uint8_t>()),
        x(from.output<float>("x", from.count({params.planes, params.height, params.width}))) {}

  us_status run(const us_execution& execution) override {
    // The CPU checks switches while it reads them; a device does not.
    if (execution.backend != US_BACKEND_CPU) {
      const us_status status = us_pool2d_check_switches(&params, switches_on_host);
      if (status != US_OK) return status;
    }
    return us_unpool(&execution, &params, mode, rule, y.as<float>(), switches.as<std::uint8_t>(), x.as<float>());
  }

  us_pool2d_params params;
  us_unpool_mode mode;
  us_signal_rule rule;
  Buffer& y;
  Buffer& switches;
  const std::uint8_t* switches_on_host;
  Buffer& x;
};

}  // namespace

std::unique_ptr<Job> bind_unpool(Arguments& from) { return std::make_unique<Unpool>(from); }

}  // namespace us::node
