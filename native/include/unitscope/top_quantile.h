#ifndef UNITSCOPE_TOP_QUANTILE_H
#define UNITSCOPE_TOP_QUANTILE_H

#include "unitscope/execution.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct us_top_quantile_params {
  int64_t images; /* 0 is an empty batch */
  int64_t cells;  /* of a map */
  int32_t units;
  int32_t keep;     /* the largest values of a unit that can matter, at least 1 */
  int32_t capacity; /* of a unit's buffer, more than `keep`; twice as much makes the selection cheap */
} us_top_quantile_params;

/*
 * The step of a streaming selection: takes a batch into each unit's buffer of largest values.
 *
 * A unit's state is its buffer kept[u, 0..filled[u]) and a cut-off. Together they always hold the `keep` largest of all
 * values seen: values that are not in the buffer are at most cutoff[u], and if cutoff[u] is not -infinity the buffer
 * holds at least `keep` values that are no less. So the r-th largest value seen, r <= keep, is the r-th largest of the
 * buffer, or -infinity where the buffer is shorter. Start with filled 0 and cutoff -infinity. Exact: which other values
 * the buffer holds, and their order, is left open.
 *
 *   values  [images, units, cells]
 *   kept    [units, capacity], updated
 *   filled  [units], updated, from 0 to capacity
 *   cutoff  [units], updated
 *
 * A NaN has no rank: on the CPU it is US_BAD_INPUT and the state is undefined; a device drops it. A state that was not
 * made by this function is US_BAD_INPUT if filled is out of range, which a device does not check. The arrays are dense,
 * belong to the caller and must not overlap.
 */
US_API us_status us_top_quantile(const us_execution* execution, const us_top_quantile_params* params,
                                 const float* values, float* kept, int32_t* filled, float* cutoff);

#ifdef __cplusplus
}
#endif

#endif
