#ifndef UNITSCOPE_POOL2D_H
#define UNITSCOPE_POOL2D_H

#include "unitscope/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The geometry of pooling over planes of height x width. Pairs are {vertical, horizontal}.
 *
 * Window (oy, ox) holds the cells (oy*stride[0] - pad_begin[0] + r*dilation[0],
 * ox*stride[1] - pad_begin[1] + c*dilation[1]) for r < kernel[0], c < kernel[1]; cells outside the plane are padding and
 * never win. Sizes and strides are at least 1, pads at least 0, and every window must hold at least one cell of the
 * plane. The output size is given, because it alone says whether ceil_mode was meant: take it from
 * us_pool2d_output_size.
 */
typedef struct us_pool2d_params {
  int64_t planes; /* batch times channels; 0 is an empty batch */
  int32_t height;
  int32_t width;
  int32_t out_height;
  int32_t out_width;
  int32_t kernel[2];
  int32_t stride[2];
  int32_t pad_begin[2];
  int32_t pad_end[2];
  int32_t dilation[2];
} us_pool2d_params;

/* A switch is one byte, so a window has at most this many cells. */
#define US_MAX_WINDOW_CELLS 255

/*
 * Fills in out_height and out_width:
 *   out = floor((size + pad_begin + pad_end - dilation*(kernel - 1) - 1) / stride) + 1
 * With ceil_mode the quotient is rounded up, except that a last window which would start in the end padding is dropped.
 * US_INVALID_ARGUMENT if a size is out of range or no window fits.
 */
US_API us_status us_pool2d_output_size(us_pool2d_params* params, int32_t ceil_mode);

/*
 * Whether every switch lies in its window and on the plane; US_BAD_INPUT naming the first that does not. `switches`
 * is host memory, [planes, out_height, out_width]. For data that did not come from us_max_pool and that is about to go
 * to a device, where us_unpool does not check.
 */
US_API us_status us_pool2d_check_switches(const us_pool2d_params* params, const uint8_t* switches);

#ifdef __cplusplus
}
#endif

#endif
