#ifndef UNITSCOPE_ARGMAX_MAPS_H
#define UNITSCOPE_ARGMAX_MAPS_H

#include "unitscope/execution.h"
#include "unitscope/maps.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Which of several largest cells is taken: the first in row-major order (the smallest row, then the smallest column), as C
 * and numpy count; or the first in column-major order (the smallest column, then the smallest row), as MATLAB counts.
 */
typedef enum us_argmax_ties {
  US_ARGMAX_ROW_MAJOR = 0,
  US_ARGMAX_COLUMN_MAJOR = 1,
  US_ARGMAX_TIES_WIDTH = 0x7fffffff
} us_argmax_ties;

/*
 * The largest cell of every map and its value. NaN is larger than every number, as in us_max_pool and us_mask_forward: a
 * map that holds one gives the first NaN of the order of `ties`, so that a broken map shows instead of passing for a whole
 * one. Zeros of both signs are equal; the value is that of the cell that was taken, bit for bit. Exact.
 *
 *   x      [maps, height, width]
 *   index  [maps], row * width + column, whatever the order of ties
 *   value  [maps], x at the index
 *
 * The arrays are dense, belong to the caller and must not overlap. A map without cells is US_INVALID_ARGUMENT.
 */
US_API us_status us_argmax_maps(const us_execution* execution, const us_maps_params* params, us_argmax_ties ties,
                                const float* x, int32_t* index, float* value);

#ifdef __cplusplus
}
#endif

#endif
