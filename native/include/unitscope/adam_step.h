#ifndef UNITSCOPE_ADAM_STEP_H
#define UNITSCOPE_ADAM_STEP_H

#include "unitscope/execution.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct us_adam_params {
  int64_t count;        /* parameters; 0 is none */
  int64_t step;         /* t, from 1 */
  double learning_rate; /* finite */
  double beta1;         /* 0 up to but not including 1 */
  double beta2;         /* 0 up to but not including 1 */
  double epsilon;       /* finite, not negative */
  double weight_decay;  /* finite, not negative */
  int32_t decoupled;    /* 0: weight decay is part of the gradient; 1: it acts on the weights alone (AdamW) */
} us_adam_params;

/*
 * One step of Adam (Kingma and Ba, arXiv:1412.6980) or AdamW (Loshchilov and Hutter, arXiv:1711.05101), in place:
 *
 *   w = (1 - learning_rate weight_decay) w       if decoupled and weight_decay is not 0
 *   d = g + weight_decay w                       if not decoupled and weight_decay is not 0, else g
 *   m = beta1 m + (1 - beta1) d
 *   v = beta2 v + ((1 - beta2) d) d
 *   w = w - a (m / (sqrt(v) b + epsilon))        a = learning_rate / (1 - beta1^t), b = 1 / sqrt(1 - beta2^t)
 *
 * Epsilon is added to the corrected root, as in PyTorch.
 *
 * Exact: a, b, 1 - beta1, 1 - beta2 and 1 - learning_rate weight_decay are computed in double and, like the other
 * constants, rounded to float; then every operation above is one float operation, in that order, divisions and roots
 * correctly rounded. All back ends and instruction sets give the same bits. NaN and infinities spread to what depends
 * on them.
 *
 *   gradient  [count]
 *   weights   [count], updated
 *   mean      [count], m, updated; zeros before the first step
 *   square    [count], v, updated; zeros before the first step
 *
 * The arrays belong to the caller and must not overlap.
 */
US_API us_status us_adam_step(const us_execution* execution, const us_adam_params* params, const float* gradient,
                              float* weights, float* mean, float* square);

#ifdef __cplusplus
}
#endif

#endif
