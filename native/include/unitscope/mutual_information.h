#ifndef UNITSCOPE_MUTUAL_INFORMATION_H
#define UNITSCOPE_MUTUAL_INFORMATION_H

#include "unitscope/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The mutual information between the maps of a filter and the n^2 + 1 part templates of an interpretable CNN (Zhang, Wu
 * and Zhu, arXiv:1710.00935, equations 5 to 11):
 *
 *   T_mu[i,j] = tau * max(1 - beta * (|i - mu_i| + |j - mu_j|) / n, -1)   template mu = mu_i*n + mu_j
 *   T_-[i,j]  = -tau                                                      template n^2
 *   p(T_mu) = alpha / n^2, p(T_-) = 1 - alpha
 *   p(x|T) = exp(sum_ij x_ij T_ij) / Z_T, Z_T = sum over the batch of exp(sum_ij x_ij T_ij)
 *   p(x) = sum_T p(T) p(x|T)
 *
 * Maps are [batch, channels, size, size], size being n.
 */
typedef struct us_mi_params {
  int64_t batch;    /* 0 is an empty batch */
  int64_t channels; /* filters */
  int32_t size;     /* 1 to US_MI_MAX_SIZE */
  double tau;       /* above 0; the paper's is 0.5 / n^2 */
  double beta;      /* above 0; the paper's is 4 */
  double alpha;     /* 0 to 1; n^2 / (n^2 + 1) makes all templates equally likely */
} us_mi_params;

/* The largest n. */
#define US_MI_MAX_SIZE 256

#ifdef __cplusplus
}
#endif

#endif
