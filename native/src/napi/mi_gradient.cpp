#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { batch, channels, size, tau, beta, alpha, mode: 0 to 3, magnitude, positiveWeight, negativeWeight, x: Float32Array,
///   targets: Uint8Array, slopes: Float32Array (both empty where the mode does not read them), constantZ: 0 | 1,
///   logZ: Float32Array (empty if not constantZ), dx: Float32Array (written) }
struct MiGradient final : Job {
  explicit MiGradient(Arguments& from)
      : params(from.mutual_information()),
        maps(from.count({params.batch, params.channels})),
        cells(from.count({params.size, params.size})),
        mode(static_cast<us_mi_mode>(from.integer("mode", US_MI_EXACT, US_MI_RELEASED))),
        released{from.number("magnitude"), from.number("positiveWeight"), from.number("negativeWeight")},
        by_category(mode == US_MI_ONE_TEMPLATE || mode == US_MI_RELEASED),
        constant_z(from.integer("constantZ", 0, 1) != 0),
        x(from.input<float>("x", from.count({maps, cells}))),
        targets(from.input<std::uint8_t>("targets", by_category ? maps : 0)),
        slopes(from.input<float>("slopes", mode == US_MI_RELEASED ? params.channels : 0)),
        log_z(from.input<float>("logZ", constant_z ? from.count({params.channels, cells + 1}) : 0)),
        dx(from.output<float>("dx", from.count({maps, cells}))) {}

  us_status run(const us_execution& execution) override {
    return us_mi_gradient(&execution, &params, mode, &released, x.as<float>(), targets.as<std::uint8_t>(),
                          slopes.as<float>(), constant_z ? log_z.as<float>() : nullptr, dx.as<float>());
  }

  us_mi_params params;
  std::int64_t maps;
  std::int64_t cells;
  us_mi_mode mode;
  us_mi_released released;
  bool by_category;
  bool constant_z;
  Buffer& x;
  Buffer& targets;
  Buffer& slopes;
  Buffer& log_z;
  Buffer& dx;
};

}  // namespace

std::unique_ptr<Job> bind_mi_gradient(Arguments& from) { return std::make_unique<MiGradient>(from); }

}  // namespace us::node
