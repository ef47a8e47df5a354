#ifndef UNITSCOPE_MASK_FORWARD_H
#define UNITSCOPE_MASK_FORWARD_H

#include "unitscope/execution.h"
#include "unitscope/template_mask.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Where the part of a map is taken to be.
 *
 * US_MASK_ARGMAX, the paper: the cell of the largest value; the first in row-major order wins a tie, so a map of zeros has
 * its part at cell 0. NaN is larger than every number. Exact.
 *
 * US_MASK_CENTROID, the released code: along each axis, counting cells from 1,
 *   round(sum(i * x) / max(sum(x), 1e-9)), clamped to 1..size,
 * halves rounded up; NaN is clamped to 1, so a map of zeros has its part at cell 0. For maps that are nowhere negative.
 * Sums are in float64: over the rows of each column, then over the columns, so every back end gives the same cell.
 */
typedef enum us_mask_location {
  US_MASK_ARGMAX = 0,
  US_MASK_CENTROID = 1,
  US_MASK_LOCATION_WIDTH = 0x7fffffff
} us_mask_location;

/*
 * Masks every map with the template of its own part: y = max(x * T_mu, 0), elementwise.
 *
 * A map that is nowhere negative is kept around its part and is 0 at a distance of size/beta and beyond; a map of zeros
 * stays zero. (Where x is negative the equation holds all the same: it is 0 near the part and -x * |T| away from it.) NaN
 * stays NaN. The same bits on every back end with any number of threads.
 *
 *   x     [batch, channels, size, size]
 *   beta  [channels], finite and at least 0; on the CPU US_BAD_INPUT otherwise, on a device not checked
 *   y     [batch, channels, size, size]
 *   mu    [batch, channels], row * size + column
 *
 * The arrays are dense, belong to the caller and must not overlap.
 */
US_API us_status us_mask_forward(const us_execution* execution, const us_mask_params* params, us_mask_location location,
                                 const float* x, const float* beta, float* y, int32_t* mu);

#ifdef __cplusplus
}
#endif

#endif
