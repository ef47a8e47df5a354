#include "fiber.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if !defined(__x86_64__)
#error "the emulation switches stacks in x86-64 assembly"
#endif

#ifdef US_EMULATION_TELLS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

// Saves what a called function must preserve and changes the stack. swapcontext would do, but it asks the system to
// save the signal mask each time, and a block of 256 threads changes stacks 256 times at every barrier.
extern "C" void us_emulation_switch(void** save, void* load);
asm(R"(
.text
.p2align 4
.type us_emulation_switch, @function
us_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size us_emulation_switch, .-us_emulation_switch
)");

namespace us::emulation {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kStack = std::size_t{64} * 1024;

Fiber* left = nullptr;     // the fiber that the last switch came from
Fiber* entered = nullptr;  // and the one it went to

}  // namespace

Fiber::Fiber(void (*body)()) : body_(body), size_(kStack) {
  void* const mapping =
      mmap(nullptr, kPage + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  mapping_ = mapping;
  // A stack that grows too far runs into a page that cannot be touched.
  mprotect(mapping, kPage, PROT_NONE);
  bottom_ = static_cast<char*>(mapping) + kPage;
  auto* const top = reinterpret_cast<void**>(static_cast<char*>(mapping) + kPage + kStack);
  // Below a missing return address lies the one that the first switch "returns" to, below that six saved registers.
  top[-2] = reinterpret_cast<void*>(&Fiber::enter);
  stack_pointer_ = top - 8;
}

Fiber::~Fiber() {
  if (mapping_ != nullptr) munmap(mapping_, kPage + kStack);
}

void Fiber::switch_from(Fiber& from) {
  left = &from;
  entered = this;
#ifdef US_EMULATION_TELLS_ASAN
  __sanitizer_start_switch_fiber(&from.fake_stack_, bottom_, size_);
#endif
  us_emulation_switch(&from.stack_pointer_, stack_pointer_);
  from.arrived();
}

void Fiber::enter() {
  Fiber* const self = entered;
  self->arrived();
  self->body_();
}

void Fiber::arrived() {
#ifdef US_EMULATION_TELLS_ASAN
  // The bounds of a stack that was running before the first fiber are learned when it is left.
  __sanitizer_finish_switch_fiber(fake_stack_, &left->bottom_, &left->size_);
#endif
}

}  // namespace us::emulation
