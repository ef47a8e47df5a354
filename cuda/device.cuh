#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "unitscope/backend.h"

// Not yet run on a device: these kernels compile for sm_80 and sm_90, and the conformance test runs them wherever it
// finds a card, and everywhere in an emulation of CUDA on the CPU.

namespace us::cuda {

/// Keeps the message in the library that loaded this one.
void set_error(const char* message);
us_status fail(us_status status, const char* what, cudaError_t error);

constexpr int kThreads = 256;

/// Every thread makes this many neighbouring elements, so that they leave in one 16-byte store.
constexpr int kElements = 4;

/// Blocks for `items` items of one thread each; a kernel strides over what exceeds the grid.
inline unsigned block_count(std::int64_t items) {
  const std::int64_t blocks = (items + kThreads - 1) / kThreads;
  constexpr std::int64_t kMaxBlocks = 0x7fffffff;
  return static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks);
}

inline cudaStream_t stream_of(const us_execution* execution) { return static_cast<cudaStream_t>(execution->stream); }

/// Queues a kernel. Its arguments are converted to the kernel's parameters, as in a call.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), unsigned blocks, unsigned threads, std::size_t shared_bytes,
            cudaStream_t stream, Arguments&&... arguments) {
#ifdef __CUDACC__
  kernel<<<blocks, threads, shared_bytes, stream>>>(static_cast<Arguments&&>(arguments)...);
#else
  emulation::launch(kernel, blocks, threads, shared_bytes, stream, static_cast<Arguments&&>(arguments)...);
#endif
}

/// The shared memory that the launch asked for, at a multiple of 16 bytes.
template <typename T>
__device__ T* dynamic_shared() {
#ifdef __CUDACC__
  extern __shared__ float4 memory[];
  return reinterpret_cast<T*>(memory);
#else
  return static_cast<T*>(emulation::dynamic_shared());
#endif
}

/// The status of the launches that were just made.
us_status launched(const char* kernel);

inline bool is_aligned(const void* pointer, std::uintptr_t bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

}  // namespace us::cuda
