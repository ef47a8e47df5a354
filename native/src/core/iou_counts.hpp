#pragma once

#include <cstdint>

#include "unitscope/iou_counts.h"

namespace us {

/// Whether all labels and categories are in range; the pointers are host memory and not NULL where they hold anything.
us_status check_iou_labels(const us_iou_params& params, const std::int32_t* pixel_labels, const std::int32_t* image_labels,
                           const std::int32_t* category_of);

}  // namespace us
