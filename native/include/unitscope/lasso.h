#ifndef UNITSCOPE_LASSO_H
#define UNITSCOPE_LASSO_H

#include "unitscope/execution.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct us_lasso_params {
  int64_t rows;       /* N, below 2^31 */
  int64_t features;   /* D, below 2^31 */
  int64_t problems;   /* B; 0 is none */
  int64_t members;    /* of all problems together, below 2^31 */
  double tolerance;   /* at least 0; 0 goes on until nothing changes */
  int32_t max_sweeps; /* at least 1 */
} us_lasso_params;

/*
 * Many lassos (Tibshirani 1996) over the same rows: each has members of its own among them, and scales the features in
 * its own way. For a problem with n members i, scale s and penalty lambda, over alpha in R^D and an intercept c that
 * bears no penalty:
 *
 *   minimise  1/n sum_i (sum_d alpha_d s_d x_id + c - y_i)^2 + lambda ||alpha||_1
 *
 * by cyclic coordinate descent (Friedman, Hastie and Tibshirani 2010). With f_id = s_d (x_id - mean of the column) and
 * the residual r of y less its mean, which together leave no intercept to find, a step takes one coefficient to its
 * optimum:
 *
 *   alpha_d = soft(<f_d, r> + |f_d|^2 alpha_d, lambda n / 2) / |f_d|^2,  soft(t, l) = sign(t) max(|t| - l, 0)
 *
 * A round looks at <f_d, r> of all features, then sweeps at most ten times over those that are active: whose
 * coefficient is not 0 or whose |<f_d, r>| is above lambda n / 2. After ten it goes on in the direction of the last sweep,
 * to the minimum on that line or the 16th coefficient that becomes 0 on the way: where features nearly repeat each other,
 * sweeps take thousands of small equal steps. Between rounds it is measured how far off the result
 * may be, in units of v = |y - mean|^2 / n:
 *
 *   gap = (objective - max over t of (2 t <y - mean, r> - t^2 |r|^2) / n) / v,  |t| max_d |<f_d, r>| <= lambda n / 2
 *
 * the duality gap, so that the objective is at most gap v above the optimum. Without a penalty there is no such bound;
 * then gap is max_d |<f_d, r>| / (|f_d| |y - mean|), the largest correlation left to explain. It ends when gap is at
 * most the tolerance, after max_sweeps sweeps, or when a sweep changes nothing. At the end c is the best for alpha.
 *
 *   x             [rows, features]
 *   y             [rows]
 *   scale         [problems, features]
 *   offsets       [problems + 1], rising from 0 to members: problem b has members[offsets[b]] to
 *                 members[offsets[b + 1] - 1], at least one
 *   member        [members], from 0 to rows - 1; one that stands there twice counts twice
 *   lambda        [problems], finite and at least 0
 *   coefficients  [problems, features]: alpha, where the descent starts and where it ended
 *   intercept     [problems]: c, written
 *   sweeps        [problems]: how many there were, written
 *   gap           [problems]: at the end, written; the tolerance was reached where it is not above it
 *
 * The coefficient of a feature that is the same for all members is 0, as are all where y is. The arithmetic is in
 * double; numbers of threads and instruction sets give the same bits. A problem where any number of its members, of its
 * scale or of its start is not finite, or where squares overflow, has NaN for coefficients, intercept and gap, and no
 * sweeps.
 *
 * Offsets, members and penalties that are wrong are US_BAD_INPUT on the CPU, with nothing written; on a device a problem
 * with one of them has NaN, see us_lasso_check_problems. The arrays are dense, belong to the caller and must not
 * overlap. Scratch memory on the CPU is 8 bytes for each member of the largest problem and feature, on every thread.
 */
US_API us_status us_lasso(const us_execution* execution, const us_lasso_params* params, const float* x, const float* y,
                          const float* scale, const int32_t* offsets, const int32_t* member, const double* lambda,
                          double* coefficients, double* intercept, int32_t* sweeps, double* gap);

/*
 * Whether offsets, members and penalties are as us_lasso wants them; US_BAD_INPUT naming the first that is not. The
 * arrays are host memory; any may be NULL, and what it says is then not looked at. For arrays that are about to go to a
 * device.
 */
US_API us_status us_lasso_check_problems(const us_lasso_params* params, const int32_t* offsets, const int32_t* member,
                                         const double* lambda);

#ifdef __cplusplus
}
#endif

#endif
