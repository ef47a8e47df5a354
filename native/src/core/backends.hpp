#pragma once

#include "unitscope/backend.h"

namespace us {

const us_backend_table& cpu_backend();

/// The table of the CUDA library, loaded on the first call; NULL with the reason kept if that failed.
const us_backend_table* cuda_backend();

}  // namespace us
