#ifndef UNITSCOPE_MI_GRADIENT_H
#define UNITSCOPE_MI_GRADIENT_H

#include "unitscope/execution.h"
#include "unitscope/mutual_information.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * With r_T(x) = log(p(x|T) / p(x)) the gradient of us_mi_loss is
 *
 *   exact         dx_ij = - sum_T p(T) p(x|T) T_ij (r_T(x) - sum_x' p(x'|T) r_T(x')), Z_T differentiated too
 *   frozen        dx_ij = - sum_T p(T) p(x|T) T_ij r_T(x), Z_T a constant: the paper's
 *   one-template  of frozen only the term of one template: T_mu at the first maximum in row-major order for an image of
 *                 the filter's category, T_- for any other. A map of zeros has no maximum and gets zeros.
 *   released      what the authors' published code adds to the gradient instead, see below
 *
 * released: with a = 0.5, m = mean(x), mu = the activation centroid rounded to a cell (counted from 1: floor(sum i x /
 * max(sum x, 1e-9) + 0.5), at least 1), mask_ij = max(1 - slope * (|g_i - g_mu_i| + |g_j - g_mu_j|), -1) on the grid
 * g = linspace(-1, 1, n), s = mean(x * mask):
 *
 *   A+ = a log mean_b exp(mean(x[b,c] * mask[batch-1-b, channels-1-c]) / a),  A- = a log mean_b exp(-m / a)
 *   v  = exp(s/a) (s - A+ + a) for an image of the filter's category, exp(-m/a) (-m - A- + a) for any other
 *   dx = -mask * v / mean(v) * magnitude * positive_weight,  or  v / mean(v) * magnitude * negative_weight
 *
 * mean(v) is over the filter's positives or its negatives; where it is negative the signs of all turn over, and where it
 * is 0 the gradient is 0. The code's magnitude is 1e-5 * 0.1 / epoch.
 */
typedef enum us_mi_mode {
  US_MI_EXACT = 0,
  US_MI_FROZEN = 1,
  US_MI_ONE_TEMPLATE = 2,
  US_MI_RELEASED = 3,
  US_MI_WIDTH = 0x7fffffff
} us_mi_mode;

/* What only US_MI_RELEASED reads. */
typedef struct us_mi_released {
  double magnitude;
  double positive_weight;
  double negative_weight;
} us_mi_released;

/*
 * The gradient of the filter loss with respect to the maps: subtract it to raise the mutual information.
 *
 *   x         [batch, channels, size, size]
 *   targets   [batch, channels], not 0 where the image is of the filter's category; one-template and released only, else
 *             NULL
 *   slopes    [channels], the slope of each filter's mask (the code starts at 2); released only, else NULL
 *   log_z     as in us_mi_loss; frozen and one-template only, else NULL
 *   dx        [batch, channels, size, size], written in full
 *
 * Sums are in double and rounded once: within 2^-24 of the value and 2^-36 of tau times the sum over T of
 * p(T) p(x|T) (|score| + |log Z_T| + |log p(x)| + |sum_x' p(x'|T) r_T(x')|). A filter with a map that holds NaN or an
 * infinity gets NaN; in released so does the filter that borrows its masks, but an infinity may spoil only the images
 * of its own kind, those of the category or the others. The arrays are dense, belong to the caller and must not overlap.
 */
US_API us_status us_mi_gradient(const us_execution* execution, const us_mi_params* params, us_mi_mode mode,
                                const us_mi_released* released, const float* x, const uint8_t* targets,
                                const float* slopes, const float* log_z, float* dx);

#ifdef __cplusplus
}
#endif

#endif
