#include "unitscope/adam_step.h"

#include <cmath>

#include "in_place.cuh"
#include "kernels.cuh"

namespace us::cuda {
namespace {

/// The state is the weights, the mean and the mean square.
struct Adam {
  static constexpr int kUpdated = 3;
  float rate;
  float beta1;
  float rest1;
  float beta2;
  float rest2;
  float scale;
  float epsilon;
  float weight_decay;
  float shrink;
  bool decays;
  bool decoupled;

  __device__ void operator()(float d, float (&state)[kUpdated]) const {
    if (decays && decoupled) state[0] = shrink * state[0];
    if (decays && !decoupled) d = d + weight_decay * state[0];
    state[1] = beta1 * state[1] + rest1 * d;
    state[2] = beta2 * state[2] + (rest2 * d) * d;
    const float root = sqrtf(state[2]) * scale + epsilon;
    state[0] = state[0] - rate * (state[1] / root);
  }
};

/// The constants in double, each rounded to float once, as on the CPU.
Adam adam_of(const us_adam_params& params) {
  const auto step = static_cast<double>(params.step);
  return {static_cast<float>(params.learning_rate / (1 - std::pow(params.beta1, step))),
          static_cast<float>(params.beta1),
          static_cast<float>(1 - params.beta1),
          static_cast<float>(params.beta2),
          static_cast<float>(1 - params.beta2),
          static_cast<float>(1 / std::sqrt(1 - std::pow(params.beta2, step))),
          static_cast<float>(params.epsilon),
          static_cast<float>(params.weight_decay),
          static_cast<float>(1 - params.learning_rate * params.weight_decay),
          params.weight_decay != 0,
          params.decoupled != 0};
}

}  // namespace

us_status adam_step(const us_execution* execution, const us_adam_params* params, const float* gradient, float* weights,
                    float* mean, float* square) {
  update_in_place(execution, adam_of(*params), {params->count, gradient, {weights, mean, square}});
  return launched("adam_step");
}

}  // namespace us::cuda
