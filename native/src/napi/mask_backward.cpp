#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { batch, channels, size, height, withX: 0 | 1, dy: Float32Array, x: Float32Array (empty without x),
///   beta: Float32Array, mu: Int32Array, dx: Float32Array (written) }
struct MaskBackward final : Job {
  explicit MaskBackward(Arguments& from)
      : params(from.mask()),
        cells(from.count({params.batch, params.channels, params.size, params.size})),
        with_x(from.integer("withX", 0, 1) != 0),
        dy(from.input<float>("dy", cells)),
        x(from.input<float>("x", with_x ? cells : 0)),
        beta(from.input<float>("beta", params.channels)),
        mu(from.input<std::int32_t>("mu", from.count({params.batch, params.channels}))),
        dx(from.output<float>("dx", cells)) {}

  us_status run(const us_execution& execution) override {
    return us_mask_backward(&execution, &params, dy.as<float>(), with_x ? x.as<float>() : nullptr, beta.as<float>(),
                            mu.as<std::int32_t>(), dx.as<float>());
  }

  us_mask_params params;
  std::int64_t cells;
  bool with_x;
  Buffer& dy;
  Buffer& x;
  Buffer& beta;
  Buffer& mu;
  Buffer& dx;
};

}  // namespace

std::unique_ptr<Job> bind_mask_backward(Arguments& from) { return std::make_unique<MaskBackward>(from); }

}  // namespace us::node
