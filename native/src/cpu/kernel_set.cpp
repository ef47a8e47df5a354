#include "cpu/isa.hpp"

namespace us::cpu::US_ISA {

extern const KernelSet kernel_set;
const KernelSet kernel_set = {
    US_ISA_NAME,
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) &stem,
#include "unitscope/kernels.def"
#undef US_KERNEL
#define US_SIGNAL_KERNEL(stem, Work) &stem,
#include "cpu/signal_kernels.def"
#undef US_SIGNAL_KERNEL
};

}  // namespace us::cpu::US_ISA
