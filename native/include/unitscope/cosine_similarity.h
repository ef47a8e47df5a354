#ifndef UNITSCOPE_COSINE_SIMILARITY_H
#define UNITSCOPE_COSINE_SIMILARITY_H

#include "unitscope/execution.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct us_cosine_params {
  int64_t m; /* rows of A */
  int64_t n; /* rows of B */
  int64_t k; /* elements of a row */
} us_cosine_params;

/*
 * The cosine of the angle between every row of A and every row of B: c_ij = <a_i, b_j> / (|a_i| |b_j|).
 *
 * A row of zeros has no direction; its cosine with every row of finite numbers is 0. A row that holds NaN or an infinity
 * gives NaN with every row, a row of zeros included.
 *
 * Norms are summed in float64, where no square of a float32 overflows or vanishes. Rows are brought to length 1, rounded to
 * float32, and multiplied as in us_matmul, so neither huge nor tiny rows lose their cosine:
 *   |c - exact| <= (min(k, 256) + ceil(k / 256) + 4) * 2^-24 / (1 - that) * sum |a b| / (|a| |b|) + (2 k + 1) * 2^-149.
 * The sum is at most 1, by Cauchy and Schwarz. By as much, c may lie beyond -1 or 1: clamp it before an arccosine. Any
 * number of threads gives the same bits.
 *
 *   a  [m, k]
 *   b  [n, k]; may be a
 *   c  [m, n]
 *
 * The arrays are dense and belong to the caller; C must not overlap A or B.
 */
US_API us_status us_cosine_similarity(const us_execution* execution, const us_cosine_params* params, const float* a,
                                      const float* b, float* c);

#ifdef __cplusplus
}
#endif

#endif
