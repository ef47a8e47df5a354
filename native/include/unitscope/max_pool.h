#ifndef UNITSCOPE_MAX_POOL_H
#define UNITSCOPE_MAX_POOL_H

#include "unitscope/execution.h"
#include "unitscope/pool2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Max-pooling that remembers where each maximum was: Zeiler and Fergus' switches.
 *
 *   y[p,oy,ox] = max over the window of x[p]; switches[p,oy,ox] = r*kernel[1] + c of the cell that won
 *
 * The first maximum in row-major order of the window wins a tie. NaN is larger than every number: a window that holds
 * one gives NaN, and its switch is the first NaN. Exact. (ONNX leaves NaN open, and ONNX Runtime 1.30 gives NaN or the
 * largest number depending on where in the window the NaN lies and on whether Indices are asked for.)
 *
 *   x         [planes, height, width]
 *   y         [planes, out_height, out_width]
 *   switches  [planes, out_height, out_width]
 *
 * The arrays are dense, belong to the caller and must not overlap.
 */
US_API us_status us_max_pool(const us_execution* execution, const us_pool2d_params* params, const float* x, float* y,
                             uint8_t* switches);

#ifdef __cplusplus
}
#endif

#endif
