#ifndef UNITSCOPE_UNPOOL_H
#define UNITSCOPE_UNPOOL_H

#include "unitscope/execution.h"
#include "unitscope/pool2d.h"
#include "unitscope/signal_rule.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What happens where overlapping windows chose the same cell. Accumulation is the gradient of max-pooling. Overwriting,
 * where the last window in row-major order wins, is what ONNX's MaxUnpool does; it loses mass.
 */
typedef enum us_unpool_mode {
  US_UNPOOL_ACCUMULATE = 0,
  US_UNPOOL_OVERWRITE = 1,
  US_UNPOOL_WIDTH = 0x7fffffff
} us_unpool_mode;

/*
 * Puts every value back where its switch says; all other cells are 0.
 *
 *   x[p,cell] = rule(sum over the windows whose switch is the cell of y[p,oy,ox])
 *
 * The rule is US_SIGNAL_RULE_NONE or US_SIGNAL_RULE_DECONVNET, which rectifies the reconstruction. The other rules need
 * the pooling's input: see us_max_pool_backward.
 *
 * The terms are added in row-major order of the windows, so the sum is the same on every back end, with any number of
 * threads. On the CPU a switch outside its window is US_BAD_INPUT and x is undefined; on a device it is ignored, see
 * us_pool2d_check_switches.
 *
 *   y         [planes, out_height, out_width]
 *   switches  [planes, out_height, out_width]
 *   x         [planes, height, width], written in full
 *
 * The arrays are dense, belong to the caller and must not overlap.
 */
US_API us_status us_unpool(const us_execution* execution, const us_pool2d_params* params, us_unpool_mode mode,
                           us_signal_rule rule, const float* y, const uint8_t* switches, float* x);

#ifdef __cplusplus
}
#endif

#endif
