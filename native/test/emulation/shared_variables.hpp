#pragma once

#include <link.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace us::emulation {

/// The variables declared __shared__ are the thread-local variables of this library, which has no others. Filled anew
/// for every block, so that a block that reads what another left there differs.
class SharedVariables {
 public:
  SharedVariables() {
    // A thread has none of a library's variables until it touches one.
    thread_local char touched;
    asm volatile("" : : "r"(&touched) : "memory");
    dl_iterate_phdr(&SharedVariables::visit, this);
  }
  void fill(unsigned char byte) const {
    if (start_ != nullptr) std::memset(start_, byte, bytes_);
  }

 private:
  static int visit(dl_phdr_info* info, std::size_t /*size*/, void* self) {
    const auto here = reinterpret_cast<std::uintptr_t>(&SharedVariables::visit);
    bool is_ours = false;
    const ElfW(Phdr)* thread_local_segment = nullptr;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const ElfW(Phdr)& segment = info->dlpi_phdr[i];
      const std::uintptr_t start = info->dlpi_addr + segment.p_vaddr;
      if (segment.p_type == PT_LOAD && here >= start && here < start + segment.p_memsz) is_ours = true;
      if (segment.p_type == PT_TLS) thread_local_segment = &segment;
    }
    if (!is_ours) return 0;
    if (thread_local_segment != nullptr) {
      static_cast<SharedVariables*>(self)->start_ = info->dlpi_tls_data;
      static_cast<SharedVariables*>(self)->bytes_ = thread_local_segment->p_memsz;
    }
    return 1;
  }

  void* start_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace us::emulation
