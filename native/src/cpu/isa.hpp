#pragma once

#include "core/signal_work.hpp"
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
#define US_SIGNAL_KERNEL(stem, Work) us_status (*stem)(const Work& work, std::int64_t begin, std::int64_t end);
#include "cpu/signal_kernels.def"
#undef US_SIGNAL_KERNEL
};

/// The kernels that this processor runs fastest, or those that UNITSCOPE_ISA names; NULL, and the reason kept as the
/// error message, where it names what is not there.
const KernelSet* chosen_kernels();

#ifdef US_ISA
namespace US_ISA {
#define US_SIGNATURE(...) , __VA_ARGS__
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) us_status stem(const us_execution* execution US_SIGNATURE SIGNATURE);
#include "unitscope/kernels.def"
#undef US_KERNEL
#undef US_SIGNATURE
#define US_SIGNAL_KERNEL(stem, Work) us_status stem(const Work& work, std::int64_t begin, std::int64_t end);
#include "cpu/signal_kernels.def"
#undef US_SIGNAL_KERNEL
}  // namespace US_ISA
#endif

}  // namespace us::cpu
