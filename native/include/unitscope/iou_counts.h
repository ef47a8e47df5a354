#ifndef UNITSCOPE_IOU_COUNTS_H
#define UNITSCOPE_IOU_COUNTS_H

#include "unitscope/execution.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What lies beyond the outermost cells of a map: the nearest cell's value, or 0. */
typedef enum us_iou_edge { US_IOU_EDGE_CLAMP = 0, US_IOU_EDGE_ZERO = 1, US_IOU_EDGE_WIDTH = 0x7fffffff } us_iou_edge;

/*
 * Maps of height x width cells over labels of out_height x out_width pixels. Pairs are {vertical, horizontal}.
 *
 * Cell i lies at pixel origin + i*step, so pixel p reads the map at s = (p - origin)/step. Placements in use:
 *   receptive fields   origin = floor((floor(size/2) + offset)/reduction), step = floor(stride/reduction), clamped
 *   half-pixel         step = pixels/cells, origin = step/2 - 1/2, clamped
 *   zero-padded        the same step and origin, zeros beyond the edge
 * Sizes are at least 1, steps positive and finite, origins finite.
 */
typedef struct us_iou_params {
  int64_t images; /* 0 is an empty batch */
  int32_t units;
  int32_t height;
  int32_t width;
  int32_t out_height;
  int32_t out_width;
  int32_t layers;       /* of pixel labels; each holds at most one label for a pixel */
  int32_t image_labels; /* labels for each whole image */
  int32_t concepts;     /* one more than the largest label */
  int32_t categories;
  us_iou_edge edge;
  double origin[2];
  double step[2];
} us_iou_params;

/*
 * What Network Dissection (arXiv:1704.05796) counts: a unit's mask is where its bilinearly upsampled map is above its
 * threshold, M_u = up(x_u) > T_u, and for the labels L_c of the same images
 *
 *   intersection[u,c]  += sum over the images of |M_u & L_c|
 *   label_pixels[c]    += sum over the images of |L_c|
 *   area[u]            += sum over the images of |M_u|
 *   category_area[u,g] += sum over the images with a label of category g of |M_u|
 *
 * from which IoU = I/(A + L - I), with the area restricted to the category's images or not. L_c is a set: a label that
 * several layers give a pixel counts once. A label of a whole image covers all its pixels. Label 0 is none, and entry 0
 * of concepts is left as it is.
 *
 * Exact: the map is evaluated in double, with i = floor(s), f = s - i, as (1 - f)*x[i] + f*x[i+1], rows first, then
 * columns; where f is 0 it is x[i], and the other cell is not read. Every back end therefore gives the same counts. NaN
 * is above no threshold. The upsampled map is never written.
 *
 *   x             [images, units, height, width]
 *   thresholds    [units]
 *   pixel_labels  [images, layers, out_height, out_width], from 0 to concepts - 1
 *   image_labels  [images, image_labels], from 0 to concepts - 1
 *   category_of   [concepts], from 0 to categories - 1, or -1 for a concept of no category
 *   intersection  [units, concepts], added to
 *   label_pixels  [concepts], added to
 *   category_area [units, categories], added to
 *   area          [units], added to
 *
 * A label or category out of range is US_BAD_INPUT on the CPU, with no count changed; a device ignores it, see
 * us_iou_check_labels. The arrays are dense, belong to the caller and must not overlap.
 */
US_API us_status us_iou_counts(const us_execution* execution, const us_iou_params* params, const float* x,
                               const double* thresholds, const int32_t* pixel_labels, const int32_t* image_labels,
                               const int32_t* category_of, int64_t* intersection, int64_t* label_pixels,
                               int64_t* category_area, int64_t* area);

/*
 * Whether all labels and categories are in range; US_BAD_INPUT naming the first that is not. The arrays are host memory,
 * as in us_iou_counts. For labels that are about to go to a device.
 */
US_API us_status us_iou_check_labels(const us_iou_params* params, const int32_t* pixel_labels,
                                     const int32_t* image_labels, const int32_t* category_of);

#ifdef __cplusplus
}
#endif

#endif
