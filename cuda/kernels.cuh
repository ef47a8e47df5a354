#pragma once

#include "unitscope/backend.h"

namespace us::cuda {

// One per kernel, in the .cu file of its stem. The arguments have been checked; the work is queued, not waited for.
#define US_SIGNATURE(...) , __VA_ARGS__
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) us_status stem(const us_execution* execution US_SIGNATURE SIGNATURE);
#include "unitscope/kernels.def"
#undef US_KERNEL
#undef US_SIGNATURE

}  // namespace us::cuda
