#ifndef UNITSCOPE_MASK_BACKWARD_H
#define UNITSCOPE_MASK_BACKWARD_H

#include "unitscope/execution.h"
#include "unitscope/template_mask.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The gradient of us_mask_forward with the places of the parts held constant:
 *
 *   dx = dy * T_mu where x * T_mu > 0 (or NaN), else 0
 *
 * As for a ReLU the derivative at 0 is 0, so cells with x = 0 get nothing. Without x (NULL) every cell is taken to be
 * positive: dx = dy * max(T_mu, 0), which is the same behind a layer that itself passes nothing on where its output is 0,
 * and reads a third less memory. The same bits on every back end with any number of threads.
 *
 *   dy    [batch, channels, size, size]
 *   x     [batch, channels, size, size], or NULL
 *   beta  [channels], as given to us_mask_forward
 *   mu    [batch, channels], as us_mask_forward gives it; a cell that is none of the map is US_BAD_INPUT on the CPU, and
 *         gives dx = 0 for the map on a device
 *   dx    [batch, channels, size, size], written in full
 *
 * The arrays are dense, belong to the caller and must not overlap.
 */
US_API us_status us_mask_backward(const us_execution* execution, const us_mask_params* params, const float* dy,
                                  const float* x, const float* beta, const int32_t* mu, float* dx);

#ifdef __cplusplus
}
#endif

#endif
