#pragma once

#include "unitscope/backend.h"

namespace us {

// One check per kernel, run before any back end sees the arguments.
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) us_status check_##stem SIGNATURE;
#include "unitscope/kernels.def"
#undef US_KERNEL

}  // namespace us
