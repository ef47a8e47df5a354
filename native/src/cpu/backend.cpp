#include <cstdlib>
#include <cstring>

#include "core/backends.hpp"
#include "core/error.hpp"
#include "cpu/isa.hpp"

namespace us::cpu {

namespace baseline {
extern const KernelSet kernel_set;
}
#ifdef US_HAS_AVX2
namespace avx2 {
extern const KernelSet kernel_set;
}
#endif
#ifdef US_HAS_AVX512
namespace avx512 {
extern const KernelSet kernel_set;
}
#endif

namespace {

struct Candidate {
  const KernelSet* set;
  bool runs_here;
};

struct Choice {
  const KernelSet* set;
  const char* refused;  // what UNITSCOPE_ISA asked for and cannot have
};

Choice choose() {
  const Candidate candidates[] = {
#ifdef US_HAS_AVX512
      {&avx512::kernel_set, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")},
#endif
#ifdef US_HAS_AVX2
      {&avx2::kernel_set, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
#endif
      {&baseline::kernel_set, true},
  };
  const char* forced = std::getenv("UNITSCOPE_ISA");
  const bool free_choice = forced == nullptr || *forced == '\0';
  for (const Candidate& candidate : candidates) {
    if (!candidate.runs_here) continue;
    if (free_choice || std::strcmp(forced, candidate.set->isa) == 0) return {candidate.set, nullptr};
  }
  return {nullptr, forced};
}

const Choice& choice() {
  static const Choice chosen = choose();
  return chosen;
}

us_status available() {
  if (choice().set != nullptr) return US_OK;
  return fail(US_UNAVAILABLE,
              "UNITSCOPE_ISA asks for \"%s\", which this processor or build does not have; there are baseline, avx2, avx512",
              choice().refused);
}

const char* device() { return choice().set != nullptr ? choice().set->isa : ""; }

us_status allocate(size_t bytes, void** memory) {
  *memory = std::malloc(bytes > 0 ? bytes : 1);
  return *memory != nullptr ? US_OK : fail(US_OUT_OF_MEMORY, "%zu bytes cannot be allocated", bytes);
}

us_status release(void* memory) {
  std::free(memory);
  return US_OK;
}

us_status copy(const us_execution* /*execution*/, us_copy /*direction*/, void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return US_OK;
}

us_status synchronize(const us_execution* /*execution*/) { return US_OK; }

#define US_SIGNATURE(...) , __VA_ARGS__
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS)                        \
  us_status stem(const us_execution* execution US_SIGNATURE SIGNATURE) {   \
    return choice().set->stem(execution US_SIGNATURE ARGUMENTS);           \
  }
#include "unitscope/kernels.def"
#undef US_KERNEL
#undef US_SIGNATURE

}  // namespace

const KernelSet* chosen_kernels() { return available() == US_OK ? choice().set : nullptr; }

}  // namespace us::cpu

namespace us {

const us_backend_table& cpu_backend() {
  static const us_backend_table table = {
      US_ABI_VERSION,  &cpu::available, &cpu::device,      &cpu::allocate,
      &cpu::release,   &cpu::copy,      &cpu::synchronize,
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) &cpu::stem,
#include "unitscope/kernels.def"
#undef US_KERNEL
  };
  return table;
}

}  // namespace us
