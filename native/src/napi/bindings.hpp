#pragma once

#include <memory>

#include "napi/arguments.hpp"

namespace us::node {

// One per kernel, in the file of its stem: reads the arguments and makes the job.
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) std::unique_ptr<Job> bind_##stem(Arguments& from);
#include "unitscope/kernels.def"
#undef US_KERNEL

}  // namespace us::node
