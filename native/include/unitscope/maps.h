#ifndef UNITSCOPE_MAPS_H
#define UNITSCOPE_MAPS_H

#include <stdint.h>

/* Maps of `height` rows and `width` columns, one after the other, each dense in row-major order: x is
 * [maps, height, width]. A map has 1 to 2^31 - 1 cells, so that an int32_t counts them; there may be no maps. */
typedef struct us_maps_params {
  int64_t maps;
  int32_t height;
  int32_t width;
} us_maps_params;

#endif
