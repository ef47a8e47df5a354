#ifndef UNITSCOPE_SGD_STEP_H
#define UNITSCOPE_SGD_STEP_H

#include "unitscope/execution.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct us_sgd_params {
  int64_t count;        /* parameters; 0 is none */
  double learning_rate; /* finite */
  double momentum;      /* finite, not negative; 0 needs no velocity */
  double weight_decay;  /* finite, not negative */
  int32_t nesterov;     /* 0 or 1; 1 needs a momentum */
} us_sgd_params;

/*
 * One step of stochastic gradient descent with momentum (Sutskever et al. 2013), in place, dampening 0:
 *
 *   d = g + weight_decay w                 if weight_decay is not 0, else g
 *   v = momentum v + d                     if momentum is not 0
 *   w = w - learning_rate u                u = d + momentum v with nesterov, v with momentum, else d
 *
 * The learning rate is outside the velocity, as in PyTorch: a change of it then takes effect at once, and not only on
 * what enters the velocity from then on. A velocity of zeros makes the first step a plain one.
 *
 * Exact: the three constants are rounded to float, then every multiplication and addition above is one float operation,
 * in that order. All back ends and instruction sets give the same bits. NaN and infinities spread to what depends on
 * them.
 *
 *   gradient  [count]
 *   weights   [count], updated
 *   velocity  [count], updated; NULL if momentum is 0
 *
 * The arrays belong to the caller and must not overlap.
 */
US_API us_status us_sgd_step(const us_execution* execution, const us_sgd_params* params, const float* gradient,
                             float* weights, float* velocity);

#ifdef __cplusplus
}
#endif

#endif
