#ifndef UNITSCOPE_TEMPLATE_MASK_H
#define UNITSCOPE_TEMPLATE_MASK_H

#include "unitscope/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The templates of an interpretable CNN (Zhang, Wu and Zhu, CVPR 2018) over square maps of size x size cells. The
 * positive template of a part at cell mu is a cone that falls with the L1 distance from mu:
 *
 *   T_mu[i,j] = height * max(1 - beta*(|i - mu_i| + |j - mu_j|)/size, -1)
 *
 * `height` is tau = 0.5/size^2 for the loss of the paper and 1 for a mask that keeps the scale of the map; beta is 4 in
 * the paper. The released code's mask max(1 - w*(|dy| + |dx|), -1) on a grid linspace(-1, 1, size) is the one of height 1
 * and beta = 2*w*size/(size - 1).
 *
 * In float32 the value is height * max((size - beta*d)/size, -1), each operation rounded once, on every back end: exact
 * at mu, and exactly 0 where beta*d is the size.
 */
typedef struct us_mask_params {
  int64_t batch;    /* at least 0 */
  int64_t channels; /* at least 0 */
  int32_t size;     /* of a map's side, 1 to US_MAX_MASK_SIZE */
  float height;     /* finite and above 0 */
} us_mask_params;

/* The place of a cell is one number of 32 bits, row * size + column. */
#define US_MAX_MASK_SIZE 46340

/*
 * All positive templates, on the host: templates[mu,i,j] = T_mu[i,j] with mu in row-major order. What a mask needs is
 * computed where it is needed; this is for looking at, and for computing with templates elsewhere.
 *
 *   templates  [size*size, size, size], belongs to the caller
 *
 * US_INVALID_ARGUMENT if size^4 elements cannot be counted, or height or beta are out of range.
 */
US_API us_status us_template_bank(int32_t size, float height, float beta, float* templates);

#ifdef __cplusplus
}
#endif

#endif
