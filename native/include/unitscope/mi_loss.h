#ifndef UNITSCOPE_MI_LOSS_H
#define UNITSCOPE_MI_LOSS_H

#include "unitscope/execution.h"
#include "unitscope/mutual_information.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The filter loss of an interpretable CNN, minus the mutual information between a filter's maps and the templates:
 *
 *   loss[c] = - sum_T p(T) sum_b p(x_b|T) log(p(x_b|T) / p(x_b))
 *
 * Everything is in double and in the log domain, so no activation overflows; the result is rounded to float32. A filter
 * with a map that holds NaN or an infinity has the loss NaN. Without images the loss is 0.
 *
 *   x      [batch, channels, size, size]
 *   log_z  [channels, size*size + 1], log Z_T over more images than the batch, or NULL: Z_T of the batch itself.
 *          log p(x|T) is then taken as 600 where it is above.
 *   loss   [channels]
 *
 * The arrays are dense, belong to the caller and must not overlap.
 */
US_API us_status us_mi_loss(const us_execution* execution, const us_mi_params* params, const float* x, const float* log_z,
                            float* loss);

#ifdef __cplusplus
}
#endif

#endif
