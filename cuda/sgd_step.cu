#include "unitscope/sgd_step.h"

#include "in_place.cuh"
#include "kernels.cuh"

namespace us::cuda {
namespace {

enum class Momentum { kNone, kPlain, kNesterov };

/// The state is the weights and, with momentum, the velocity.
template <Momentum MOMENTUM>
struct Sgd {
  static constexpr int kUpdated = MOMENTUM == Momentum::kNone ? 1 : 2;
  float learning_rate;
  float momentum;
  float weight_decay;
  bool decays;

  __device__ void operator()(float d, float (&state)[kUpdated]) const {
    if (decays) d = d + weight_decay * state[0];
    if constexpr (MOMENTUM != Momentum::kNone) {
      state[1] = momentum * state[1] + d;
      d = MOMENTUM == Momentum::kNesterov ? d + momentum * state[1] : state[1];
    }
    state[0] = state[0] - learning_rate * d;
  }
};

template <Momentum MOMENTUM>
Sgd<MOMENTUM> sgd_of(const us_sgd_params& params) {
  return {static_cast<float>(params.learning_rate), static_cast<float>(params.momentum),
          static_cast<float>(params.weight_decay), params.weight_decay != 0};
}

}  // namespace

us_status sgd_step(const us_execution* execution, const us_sgd_params* params, const float* gradient, float* weights,
                   float* velocity) {
  const std::int64_t count = params->count;
  if (params->momentum == 0) {
    update_in_place(execution, sgd_of<Momentum::kNone>(*params), {count, gradient, {weights}});
  } else if (params->nesterov == 0) {
    update_in_place(execution, sgd_of<Momentum::kPlain>(*params), {count, gradient, {weights, velocity}});
  } else {
    update_in_place(execution, sgd_of<Momentum::kNesterov>(*params), {count, gradient, {weights, velocity}});
  }
  return launched("sgd_step");
}

}  // namespace us::cuda
