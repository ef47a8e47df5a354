#ifndef UNITSCOPE_TEMPLATE_SCORES_H
#define UNITSCOPE_TEMPLATE_SCORES_H

#include "unitscope/execution.h"
#include "unitscope/mutual_information.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How well every map fits every template.
 *
 *   scores[b,c,T] = sum_ij x[b,c,i,j] * T_ij = tau * (correlation of x[b,c] with the cone - sum of x[b,c])
 *   cone(d) = max(2 - beta * |d|_1 / n, 0)
 *
 * Computed in double by running sums, in as many additions per cell whatever the cone's width, and rounded once: within
 * 2^-24 of the score and 2^-36 tau sum|x| of the exact value. A map that holds NaN or an infinity has only NaN scores.
 *
 *   x       [batch, channels, size, size]
 *   scores  [batch, channels, size*size + 1]
 *
 * alpha is not used. The arrays are dense, belong to the caller and must not overlap.
 */
US_API us_status us_template_scores(const us_execution* execution, const us_mi_params* params, const float* x,
                                    float* scores);

#ifdef __cplusplus
}
#endif

#endif
