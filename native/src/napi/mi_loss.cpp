#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { batch, channels, size, tau, beta, alpha, x: Float32Array, constantZ: 0 | 1, logZ: Float32Array (empty if not
///   constantZ), loss: Float32Array (written) }
struct MiLoss final : Job {
  explicit MiLoss(Arguments& from)
      : params(from.mutual_information()),
        cells(from.count({params.size, params.size})),
        constant_z(from.integer("constantZ", 0, 1) != 0),
        x(from.input<float>("x", from.count({params.batch, params.channels, cells}))),
        log_z(from.input<float>("logZ", constant_z ? from.count({params.channels, cells + 1}) : 0)),
        loss(from.output<float>("loss", params.channels)) {}

  us_status run(const us_execution& execution) override {
    return us_mi_loss(&execution, &params, x.as<float>(), constant_z ? log_z.as<float>() : nullptr, loss.as<float>());
  }

  us_mi_params params;
  std::int64_t cells;
  bool constant_z;
  Buffer& x;
  Buffer& log_z;
  Buffer& loss;
};

}  // namespace

std::unique_ptr<Job> bind_mi_loss(Arguments& from) { return std::make_unique<MiLoss>(from); }

}  // namespace us::node
