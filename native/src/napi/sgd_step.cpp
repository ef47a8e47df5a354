#include "napi/bindings.hpp"

namespace us::node {
namespace {

us_sgd_params params_of(const Arguments& from) {
  constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53) - 1;
  us_sgd_params params{};
  params.count = from.integer("count", 0, kMaxSafeInteger);
  params.learning_rate = from.number("learningRate");
  params.momentum = from.number("momentum");
  params.weight_decay = from.number("weightDecay");
  params.nesterov = static_cast<std::int32_t>(from.integer("nesterov", 0, 1));
  return params;
}

/// { count, learningRate, momentum, weightDecay, nesterov: 0 | 1, gradient: Float32Array,
///   weights: Float32Array (updated), velocity: Float32Array (updated; empty if momentum is 0) }
struct SgdStep final : Job {
  explicit SgdStep(Arguments& from)
      : params(params_of(from)),
        gradient(from.input<float>("gradient", params.count)),
        weights(from.updated<float>("weights", params.count)),
        velocity(from.updated<float>("velocity", params.momentum == 0 ? 0 : params.count)) {}

  us_status run(const us_execution& execution) override {
    return us_sgd_step(&execution, &params, gradient.as<float>(), weights.as<float>(), velocity.as<float>());
  }

  us_sgd_params params;
  Buffer& gradient;
  Buffer& weights;
  Buffer& velocity;
};

}  // namespace

std::unique_ptr<Job> bind_sgd_step(Arguments& from) { return std::make_unique<SgdStep>(from); }

}  // namespace us::node
