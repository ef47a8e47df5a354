#ifndef UNITSCOPE_MAX_POOL_BACKWARD_H
#define UNITSCOPE_MAX_POOL_BACKWARD_H

#include "unitscope/execution.h"
#include "unitscope/pool2d.h"
#include "unitscope/signal_rule.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The gradient of max-pooling, from its input alone: finds the switches again instead of storing them.
 *
 *   dx = rule(us_unpool(dy, switches of us_max_pool(x))), accumulating, bit for bit
 *
 * The rule is that of a ReLU in front of the pooling, see us_signal_rule: where x is the output of a ReLU, dx is then
 * the signal at that ReLU's input, and the pass over memory that the ReLU would take is saved. It is applied once the
 * signals of overlapping windows are added.
 *
 *   x   [planes, height, width]
 *   dy  [planes, out_height, out_width]
 *   dx  [planes, height, width], written in full
 *
 * The arrays are dense, belong to the caller and must not overlap.
 */
US_API us_status us_max_pool_backward(const us_execution* execution, const us_pool2d_params* params, us_signal_rule rule,
                                      const float* x, const float* dy, float* dx);

#ifdef __cplusplus
}
#endif

#endif
