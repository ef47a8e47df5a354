#ifndef UNITSCOPE_MAP_MOMENTS_H
#define UNITSCOPE_MAP_MOMENTS_H

#include "unitscope/execution.h"
#include "unitscope/maps.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where each moment of a map stands in the result. */
enum {
  US_MOMENT_MASS = 0,
  US_MOMENT_MEAN_ROW = 1,
  US_MOMENT_MEAN_COLUMN = 2,
  US_MOMENT_VARIANCE_ROW = 3,
  US_MOMENT_VARIANCE_COLUMN = 4,
  US_MOMENT_COVARIANCE = 5,
  US_MOMENT_COUNT = 6
};

/*
 * Location moments of every map, its cells weighted by their values: w = max(x, 0) if `rectified` is 1, w = x if it is 0.
 *
 *   mass        S = sum(w)
 *   mean        (r, c) = sum(w * (row, column)) / S, in cells, counted from 0
 *   variance    sum(w * (row - r)^2) / S and sum(w * (column - c)^2) / S, in cells squared
 *   covariance  sum(w * (row - r) * (column - c)) / S
 *
 * The root of the two variances' sum is the spread that the released code of interpretable CNNs sets its mask slope by.
 * The variances are of the weights as a distribution: nothing is divided by S - 1. Of weights of both signs the formulas
 * hold all the same: a mean may lie outside the map and a variance be negative.
 *
 * Where there is no mean, because the mass is 0 or not finite, the other five are NaN; NaN stays NaN, so a map that holds
 * one has only NaN. The variances are taken about the mean that was found and not as differences of raw moments: a map of
 * one cell has variances of 0 but for the square of its mean's error. All sums are in float64. With
 * u = (height + width + 16) 2^-53, A = sum|w| / |S|, which is 1 for weights of one sign, and t = max(height, width) +
 * |mean row| + |mean column|:
 *   mass to u sum|w|; means to 2 u A t; variances to 2 u A (v + |variance|) + (2 u A t)^2, where v is the variance with
 *   |w| over |S|; the covariance to 2 u A (t^2 + |covariance|) + (2 u A t)^2.
 * Any number of threads gives the same bits.
 *
 *   x        [maps, height, width]
 *   moments  [maps, US_MOMENT_COUNT]
 *
 * The arrays are dense, belong to the caller and must not overlap. A map without cells is US_INVALID_ARGUMENT.
 */
US_API us_status us_map_moments(const us_execution* execution, const us_maps_params* params, int32_t rectified,
                                const float* x, double* moments);

#ifdef __cplusplus
}
#endif

#endif
