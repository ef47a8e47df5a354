#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <vector>

#include "cuda_runtime.h"
#include "memory.hpp"

namespace us::emulation {
namespace {

constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kMaxBlocks = 0x7fffffff;
constexpr std::size_t kMaxSharedBytes = std::size_t{48} * 1024;

/// One device, and one caller in it at a time.
struct Device {
  std::mutex mutex;
  std::deque<std::function<void()>> queue;
  cudaError_t last_error = cudaSuccess;
  std::uint64_t digest = 0xcbf29ce484222325;
  std::uint64_t kernels = 0;

  Device() {
    const char* const order = std::getenv("UNITSCOPE_EMULATION_ORDER");
    if (order != nullptr) set_order(std::strtoull(order, nullptr, 10));
  }

  /// What was copied back from the device says whether two runs gave the same bits.
  ~Device() {
    const char* const path = std::getenv("UNITSCOPE_EMULATION_DIGEST");
    std::FILE* const file = path != nullptr ? std::fopen(path, "w") : nullptr;
    if (file == nullptr) return;
    std::fprintf(file, "%llu kernels, results %016llx\n", static_cast<unsigned long long>(kernels),
                 static_cast<unsigned long long>(digest));
    std::fclose(file);
  }

  void drain() {
    if (queue.empty()) return;
    const DeviceAccess access;
    for (; !queue.empty(); queue.pop_front()) queue.front()();
  }

  void add_to_digest(const void* memory, std::size_t bytes) {
    const auto* const from = static_cast<const unsigned char*>(memory);
    for (std::size_t i = 0; i < bytes; ++i) digest = (digest ^ from[i]) * 0x100000001b3;
  }
};

Device& device() {
  static Device instance;
  return instance;
}

/// Enters the device; what is done there leaves its error.
template <typename Body>
cudaError_t enter(Body body) {
  Device& here = device();
  const std::lock_guard<std::mutex> lock(here.mutex);
  const cudaError_t error = body(here);
  if (error != cudaSuccess) here.last_error = error;
  return error;
}

cudaError_t allocate_on(Device& /*device*/, void** memory, std::size_t bytes) {
  *memory = allocate(bytes);
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

}  // namespace

void misuse(const std::string& what) {
  const std::string thread = running_thread();
  std::fprintf(stderr, "CUDA emulation: %s%s%s\n", what.c_str(), thread.empty() ? "" : ", by ", thread.c_str());
  std::fflush(nullptr);
  std::abort();
}

void report_misaligned(const void* address, std::size_t bytes) {
  char text[96];
  std::snprintf(text, sizeof text, "a vector or atomic of alignment %zu at the misaligned address %p", bytes, address);
  misuse(text);
}

void queue_kernel(const Grid& grid, cudaStream_t /*stream*/, std::function<void()> thread) {
  enter([&](Device& here) {
    if (grid.blocks == 0 || grid.blocks > kMaxBlocks || grid.threads == 0 || grid.threads > kMaxThreads) {
      return cudaErrorInvalidConfiguration;
    }
    if (grid.shared_bytes > kMaxSharedBytes) return cudaErrorInvalidValue;
    here.queue.emplace_back([&here, grid, thread = std::move(thread)] {
      ++here.kernels;
      run_grid(grid, thread);
      check_margins();
    });
    return cudaSuccess;
  });
}

}  // namespace us::emulation

using us::emulation::Device;
using us::emulation::enter;

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return cudaErrorInvalidValue;
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "%s",
                "an emulation of CUDA on the CPU, for tests; there is no GPU");
  properties->major = 8;
  properties->multiProcessorCount = 1;
  properties->totalGlobalMem = std::size_t{1} << 32;
  properties->sharedMemPerBlock = us::emulation::kMaxSharedBytes;
  return cudaSuccess;
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
  }
  return "unrecognized error code";
}

cudaError_t cudaGetLastError() {
  cudaError_t error = cudaSuccess;
  enter([&](Device& here) {
    error = std::exchange(here.last_error, cudaSuccess);
    return cudaSuccess;
  });
  return error;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  return enter([&](Device& here) { return allocate_on(here, memory, bytes); });
}

cudaError_t cudaFree(void* memory) {
  return enter([&](Device& here) {
    here.drain();
    us::emulation::release(memory);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t /*stream*/) {
  return enter([&](Device& here) { return allocate_on(here, memory, bytes); });
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t /*stream*/) {
  return enter([&](Device& here) {
    here.queue.emplace_back([memory] { us::emulation::release(memory); });
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t /*stream*/) {
  return enter([&](Device& here) {
    switch (kind) {
      case cudaMemcpyHostToDevice: {
        // Host memory that is not pinned has been read when the call returns.
        const auto* const bytes_from = static_cast<const unsigned char*>(from);
        std::vector<unsigned char> staged(bytes_from, bytes_from + bytes);
        here.queue.emplace_back([to, staged = std::move(staged)] {
          us::emulation::require_device_memory(to, staged.size(), "a copy to the device");
          std::memcpy(to, staged.data(), staged.size());
        });
        return cudaSuccess;
      }
      case cudaMemcpyDeviceToHost:
        here.queue.emplace_back([&here, to, from, bytes] {
          us::emulation::require_device_memory(from, bytes, "a copy to the host");
          std::memcpy(to, from, bytes);
          here.add_to_digest(to, bytes);
        });
        return cudaSuccess;
      case cudaMemcpyDeviceToDevice:
        here.queue.emplace_back([to, from, bytes] {
          us::emulation::require_device_memory(from, bytes, "a copy from the device");
          us::emulation::require_device_memory(to, bytes, "a copy to the device");
          std::memcpy(to, from, bytes);
        });
        return cudaSuccess;
      case cudaMemcpyHostToHost:
        break;
    }
    return cudaErrorInvalidValue;
  });
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t /*stream*/) {
  return enter([&](Device& here) {
    here.queue.emplace_back([memory, value, bytes] {
      us::emulation::require_device_memory(memory, bytes, "setting");
      std::memset(memory, value, bytes);
    });
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t /*stream*/) {
  return enter([](Device& here) {
    here.drain();
    return cudaSuccess;
  });
}
