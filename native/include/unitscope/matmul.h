#ifndef UNITSCOPE_MATMUL_H
#define UNITSCOPE_MATMUL_H

#include "unitscope/execution.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Terms of a sum of products that are added up one after the other before they join the result. */
#define US_PRODUCT_BLOCK 256

typedef struct us_matmul_params {
  int64_t m; /* rows of C */
  int64_t n; /* columns of C */
  int64_t k; /* terms of each sum; with 0 of them the sums are 0 */
  int64_t lda; /* elements from one stored row of A to the next, at least the length of a row */
  int64_t ldb;
  int64_t ldc;
  int32_t transpose_a; /* 0 or 1 */
  int32_t transpose_b;
  int32_t accumulate; /* 0: C is overwritten and what it held is never read; 1: the product is added to it */
} us_matmul_params;

/*
 * The product of two matrices: C = op(A) op(B), or C + op(A) op(B), where op transposes or not. Row-major.
 *
 *   a  stored [m, k], or [k, m] if transpose_a; rows lda apart
 *   b  stored [k, n], or [n, k] if transpose_b; rows ldb apart
 *   c  [m, n]; rows ldc apart, and nothing between them is touched
 *
 * Sums are in float32: blocks of US_PRODUCT_BLOCK terms, each from its first term to its last, are added to the result in
 * their order. Neither the shape nor the number of threads changes that, so the bits of an element depend on its own row
 * and column alone; back ends that multiply and add with one rounding (CUDA, and the CPU from AVX2 on) give the same ones.
 * With or without, and short of underflow and overflow,
 *   |c - exact| <= (min(k, 256) + ceil(k / 256) + 1) * 2^-24 / (1 - that) * (sum |a b| + |c before|).
 * NaN and infinities go where the sums take them; a 0 does not hide them.
 *
 * The arrays belong to the caller; C must not overlap A or B, from its first element to its last.
 */
US_API us_status us_matmul(const us_execution* execution, const us_matmul_params* params, const float* a, const float* b,
                           float* c);

#ifdef __cplusplus
}
#endif

#endif
