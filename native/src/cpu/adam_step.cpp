#include "unitscope/adam_step.h"

#include "core/optimizers.hpp"
#include "cpu/in_place.hpp"
#include "cpu/isa.hpp"

namespace us::cpu::US_ISA {
namespace {

enum class Decay { kNone, kInGradient, kDecoupled };

inline Floats square_root(Floats values) {
#if defined(__AVX512F__)
  // The form without a mask is written with a value that GCC 12 takes for an uninitialised one.
  return _mm512_maskz_sqrt_ps(0xffff, values);
#elif defined(__AVX__)
  return _mm256_sqrt_ps(values);
#elif defined(__SSE2__)
  return _mm_sqrt_ps(values);
#else
  for (std::int64_t lane = 0; lane < kLanes; ++lane) values[lane] = __builtin_sqrtf(values[lane]);
  return values;
#endif
}

/// The state is the weights, the mean and the mean square.
template <Decay kDecay>
struct Adam {
  static constexpr int kUpdated = 3;
  AdamConstants constants;

  void operator()(Floats d, Floats (&state)[kUpdated]) const {
    if constexpr (kDecay == Decay::kDecoupled) state[0] = constants.shrink * state[0];
    if constexpr (kDecay == Decay::kInGradient) d = d + constants.weight_decay * state[0];
    state[1] = constants.beta1 * state[1] + constants.rest1 * d;
    state[2] = constants.beta2 * state[2] + (constants.rest2 * d) * d;
    const Floats root = square_root(state[2]) * constants.scale + constants.epsilon;
    state[0] = state[0] - constants.rate * (state[1] / root);
  }
};

template <Decay kDecay>
us_status run_adam(const us_execution& execution, const us_adam_params& params, const float* gradient, float* weights,
                   float* mean, float* square) {
  return update_in_place<Adam<kDecay>>(
      execution, {{adam_constants(params)}, params.count, gradient, {weights, mean, square}});
}

}  // namespace

us_status adam_step(const us_execution* execution, const us_adam_params* params, const float* gradient, float* weights,
                    float* mean, float* square) {
  if (params->weight_decay == 0) return run_adam<Decay::kNone>(*execution, *params, gradient, weights, mean, square);
  return params->decoupled != 0 ? run_adam<Decay::kDecoupled>(*execution, *params, gradient, weights, mean, square)
                                : run_adam<Decay::kInGradient>(*execution, *params, gradient, weights, mean, square);
}

}  // namespace us::cpu::US_ISA
