#include "unitscope/sgd_step.h"

#include "core/optimizers.hpp"
#include "cpu/in_place.hpp"
#include "cpu/isa.hpp"

namespace us::cpu::US_ISA {
namespace {

enum class Momentum { kNone, kPlain, kNesterov };

/// The state is the weights and, with momentum, the velocity. What is done is known at compile time, so that the loop
/// holds no decisions.
template <bool kDecay, Momentum kMomentum>
struct Sgd {
  static constexpr int kUpdated = kMomentum == Momentum::kNone ? 1 : 2;
  SgdConstants constants;

  void operator()(Floats d, Floats (&state)[kUpdated]) const {
    if constexpr (kDecay) d = d + constants.weight_decay * state[0];
    if constexpr (kMomentum != Momentum::kNone) {
      state[1] = constants.momentum * state[1] + d;
      d = kMomentum == Momentum::kNesterov ? d + constants.momentum * state[1] : state[1];
    }
    state[0] = state[0] - constants.learning_rate * d;
  }
};

template <bool kDecay>
us_status run_sgd(const us_execution& execution, const us_sgd_params& params, const float* gradient, float* weights,
                  float* velocity) {
  const SgdConstants constants = sgd_constants(params);
  if (params.momentum == 0) {
    return update_in_place<Sgd<kDecay, Momentum::kNone>>(execution, {{constants}, params.count, gradient, {weights}});
  }
  if (params.nesterov == 0) {
    return update_in_place<Sgd<kDecay, Momentum::kPlain>>(execution,
                                                          {{constants}, params.count, gradient, {weights, velocity}});
  }
  return update_in_place<Sgd<kDecay, Momentum::kNesterov>>(execution,
                                                           {{constants}, params.count, gradient, {weights, velocity}});
}

}  // namespace

us_status sgd_step(const us_execution* execution, const us_sgd_params* params, const float* gradient, float* weights,
                   float* velocity) {
  return params->weight_decay != 0 ? run_sgd<true>(*execution, *params, gradient, weights, velocity)
                                   : run_sgd<false>(*execution, *params, gradient, weights, velocity);
}

}  // namespace us::cpu::US_ISA
