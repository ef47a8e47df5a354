#pragma once

#include "unitscope/backend.h"

// The kernels are compiled once per instruction set, each time into a namespace of its own (US_ISA, set by the build).
// Such a file must not emit functions that another file may share: the linker keeps one copy of an inline function and
// could keep one that this processor cannot run. Hence no standard library there, only core/ and what is in US_ISA.

namespace us::cpu {

/// The kernels of one instruction set.
struct KernelSet {
  const char* isa;
#define US_SIGNATURE(...) , __VA_ARGS__
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) us_status (*stem)(const us_execution* execution US_SIGNATURE SIGNATURE);
#include "unitscope/kernels.def"
#undef US_KERNEL
#undef US_SIGNATURE
};

#ifdef US_ISA
namespace US_ISA {
#define US_SIGNATURE(...) , __VA_ARGS__
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) us_status stem(const us_execution* execution US_SIGNATURE SIGNATURE);
#include "unitscope/kernels.def"
#undef US_KERNEL
#undef US_SIGNATURE
}  // namespace US_ISA
#endif

}  // namespace us::cpu
