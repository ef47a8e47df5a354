#include "memory.hpp"

#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <new>

#include "misuse.hpp"
#include "scheduler.hpp"

namespace us::emulation {
namespace {

constexpr std::size_t kPage = 4096;
// The alignment of vectors of four floats. Memory of a device begins at multiples of 256 bytes, but then it could not
// end at a page.
constexpr std::size_t kAlignment = 16;
constexpr unsigned char kMargin = 0xff;
// Freed ranges stay unusable for as long as this many others have been freed after them.
constexpr std::size_t kRemembered = 4096;

struct Allocation {
  char* mapping;  // a page, the usable pages, a page
  std::size_t mapped;
  std::size_t bytes;

  char* usable() const { return mapping + kPage; }
  std::size_t usable_bytes() const { return mapped - 2 * kPage; }
};

std::map<char*, Allocation> live;  // by where the memory of the caller starts
std::deque<std::pair<char*, Allocation>> freed;
int open = 0;

std::string quantity(std::size_t bytes) { return std::to_string(bytes) + " bytes"; }

/// What lies at an address, if it is or was near device memory.
std::string description_of(const void* address) {
  const auto* const at = static_cast<const char*>(address);
  const auto describe = [&](const char* start, const Allocation& allocation, const char* kind) -> std::string {
    if (at < allocation.mapping || at >= allocation.mapping + allocation.mapped) return "";
    const std::string of = std::string(" of ") + kind + " allocation of " + quantity(allocation.bytes);
    if (at < start) return quantity(static_cast<std::size_t>(start - at)) + " before the start" + of;
    if (at < start + allocation.bytes) return quantity(static_cast<std::size_t>(at - start)) + " after the start" + of;
    return quantity(static_cast<std::size_t>(at - start) - allocation.bytes) + " behind the end" + of;
  };
  for (const auto& [start, allocation] : live) {
    const std::string text = describe(start, allocation, "an");
    if (!text.empty()) return text + (open == 0 ? ", touched outside a kernel" : "");
  }
  for (const auto& [start, allocation] : freed) {
    std::string text = describe(start, allocation, "a freed");
    if (!text.empty()) return text;
  }
  return "";
}

struct sigaction previous;

/// Explains a fault in device memory; others go to whoever handled them before.
void explain(int /*signal*/, siginfo_t* info, void* context) {
  const std::string where = description_of(info->si_addr);
  if (where.empty()) {
    sigaction(SIGSEGV, &previous, nullptr);
    return;
  }
  std::string code;
  const auto instruction = static_cast<std::uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
  Dl_info library{};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the system gives the instruction's address as a number
  if (dladdr(reinterpret_cast<const void*>(instruction), &library) != 0 && library.dli_fname != nullptr) {
    char offset[32];
    std::snprintf(offset, sizeof offset, "%#zx", instruction - reinterpret_cast<std::uintptr_t>(library.dli_fbase));
    code = std::string("; addr2line -Cfie ") + library.dli_fname + " " + offset;
  }
  misuse("access " + where + code);
}

void install_handler() {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_sigaction = &explain;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &previous);
    return true;
  }();
  static_cast<void>(installed);
}

void protect(const Allocation& allocation, int access) {
  if (mprotect(allocation.usable(), allocation.usable_bytes(), access) == 0) return;
  misuse("device memory cannot be protected");
}

void check_margins_of(char* start, const Allocation& allocation) {
  const auto check = [&](const char* from, const char* to) {
    for (; from < to; ++from) {
      if (static_cast<unsigned char>(*from) != kMargin) misuse("a write " + description_of(from));
    }
  };
  check(allocation.usable(), start);
  check(start + allocation.bytes, allocation.usable() + allocation.usable_bytes());
}

}  // namespace

void* allocate(std::size_t bytes) {
  install_handler();
  const std::size_t aligned = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (aligned < bytes || aligned > SIZE_MAX / 2) return nullptr;
  const std::size_t mapped = (aligned + kPage - 1) / kPage * kPage + 2 * kPage;
  void* const mapping = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;
  const Allocation allocation{static_cast<char*>(mapping), mapped, bytes};
  char* const start = allocation.usable() + allocation.usable_bytes() - aligned;
  protect(allocation, PROT_READ | PROT_WRITE);
  std::memset(allocation.usable(), kMargin, allocation.usable_bytes());
  std::memset(start, fresh_byte(), bytes);
  if (open == 0) protect(allocation, PROT_NONE);
  live.emplace(start, allocation);
  return start;
}

void release(void* memory) {
  if (memory == nullptr) return;
  const auto found = live.find(static_cast<char*>(memory));
  if (found == live.end()) {
    const std::string where = description_of(memory);
    misuse("freeing what is no device memory: " + (where.empty() ? "an unknown address" : where));
  }
  const Allocation& allocation = found->second;
  protect(allocation, PROT_READ | PROT_WRITE);
  check_margins_of(found->first, allocation);
  madvise(allocation.usable(), allocation.usable_bytes(), MADV_DONTNEED);
  protect(allocation, PROT_NONE);
  freed.emplace_back(found->first, allocation);
  live.erase(found);
  if (freed.size() > kRemembered) {
    munmap(freed.front().second.mapping, freed.front().second.mapped);
    freed.pop_front();
  }
}

void require_device_memory(const void* start, std::size_t bytes, const char* what) {
  auto* const at = static_cast<char*>(const_cast<void*>(start));
  auto after = live.upper_bound(at);
  if (after != live.begin()) {
    const auto& [begin, allocation] = *--after;
    const auto offset = static_cast<std::size_t>(at - begin);
    if (offset <= allocation.bytes && bytes <= allocation.bytes - offset) return;
  }
  const std::string where = description_of(start);
  misuse(std::string(what) + " of " + quantity(bytes) + " that are not in one allocation: " +
         (where.empty() ? "they start outside device memory" : "they start " + where));
}

void check_margins() {
  for (const auto& [start, allocation] : live) check_margins_of(start, allocation);
}

DeviceAccess::DeviceAccess() {
  if (open++ != 0) return;
  for (const auto& [start, allocation] : live) protect(allocation, PROT_READ | PROT_WRITE);
}

DeviceAccess::~DeviceAccess() {
  if (--open != 0) return;
  for (const auto& [start, allocation] : live) protect(allocation, PROT_NONE);
}

}  // namespace us::emulation
