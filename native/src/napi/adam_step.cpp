#include "napi/bindings.hpp"

namespace us::node {
namespace {

us_adam_params params_of(const Arguments& from) {
  constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53) - 1;
  us_adam_params params{};
  params.count = from.integer("count", 0, kMaxSafeInteger);
  params.step = from.integer("step", 1, kMaxSafeInteger);
  params.learning_rate = from.number("learningRate");
  params.beta1 = from.number("beta1");
  params.beta2 = from.number("beta2");
  params.epsilon = from.number("epsilon");
  params.weight_decay = from.number("weightDecay");
  params.decoupled = static_cast<std::int32_t>(from.integer("decoupled", 0, 1));
  return params;
}

/// { count, step, learningRate, beta1, beta2, epsilon, weightDecay, decoupled: 0 | 1, gradient: Float32Array,
///   weights, mean, square: Float32Array (updated) }
struct AdamStep final : Job {
  explicit AdamStep(Arguments& from)
      : params(params_of(from)),
        gradient(from.input<float>("gradient", params.count)),
        weights(from.updated<float>("weights", params.count)),
        mean(from.updated<float>("mean", params.count)),
        square(from.updated<float>("square", params.count)) {}

  us_status run(const us_execution& execution) override {
    return us_adam_step(&execution, &params, gradient.as<float>(), weights.as<float>(), mean.as<float>(),
                        square.as<float>());
  }

  us_adam_params params;
  Buffer& gradient;
  Buffer& weights;
  Buffer& mean;
  Buffer& square;
};

}  // namespace

std::unique_ptr<Job> bind_adam_step(Arguments& from) { return std::make_unique<AdamStep>(from); }

}  // namespace us::node
