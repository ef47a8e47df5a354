#pragma once

// What the sources in cuda/ use of CUDA, on the CPU. The words of the language become those of C++, the built-in
// functions ask the scheduler, and the functions of the runtime work on memory that is watched.

#include <math.h>
#include <stdlib.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "scheduler.hpp"

// The names are CUDA's; a vector assigned to itself stays as it is.
// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,cert-oop54-cpp)

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
// One thread of the system runs all threads of a block, so what is its own is shared by the block; and it is found at
// one place, to be filled anew for every block. AddressSanitizer puts margins around other variables only.
#ifdef __SANITIZE_ADDRESS__
#define __shared__ static
#else
#define __shared__ static thread_local
#endif

// --- Built-in variables and vectors ---

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
constexpr int warpSize = 32;

namespace us::emulation {

[[noreturn]] void report_misaligned(const void* address, std::size_t bytes);

inline void check_alignment(const void* address, std::size_t bytes) {
  // The compiler trusts the alignment of a type, which is what is in question.
  asm("" : "+r"(address));
  if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0) report_misaligned(address, bytes);
}

constexpr std::size_t vector_alignment(std::size_t bytes) { return bytes < 16 ? bytes : 16; }

/// Copied member by member, after its alignment was checked: a device faults where it reads or writes one elsewhere.
template <typename T>
struct alignas(vector_alignment(2 * sizeof(T))) Vector2 {
  T x, y;

  Vector2() = default;
  Vector2(T x_, T y_) : x(x_), y(y_) {}
  Vector2(const Vector2& from) { *this = from; }
  Vector2& operator=(const Vector2& from) {
    check_alignment(&from, alignof(Vector2));
    check_alignment(this, alignof(Vector2));
    x = from.x, y = from.y;
    return *this;
  }
};

template <typename T>
struct alignas(vector_alignment(4 * sizeof(T))) Vector4 {
  T x, y, z, w;

  Vector4() = default;
  Vector4(T x_, T y_, T z_, T w_) : x(x_), y(y_), z(z_), w(w_) {}
  Vector4(const Vector4& from) { *this = from; }
  Vector4& operator=(const Vector4& from) {
    check_alignment(&from, alignof(Vector4));
    check_alignment(this, alignof(Vector4));
    x = from.x, y = from.y, z = from.z, w = from.w;
    return *this;
  }
};

}  // namespace us::emulation

using float2 = us::emulation::Vector2<float>;
using int2 = us::emulation::Vector2<int>;
using double2 = us::emulation::Vector2<double>;
using float4 = us::emulation::Vector4<float>;
using int4 = us::emulation::Vector4<int>;
using uchar4 = us::emulation::Vector4<unsigned char>;

inline float2 make_float2(float x, float y) { return {x, y}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w) { return {x, y, z, w}; }

// --- Built-in functions. The place of a call comes as default arguments, so that what goes wrong can be named. ---

#define US_SITE_PARAMETERS const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define US_SITE {file, line}

inline void __syncthreads(US_SITE_PARAMETERS) { us::emulation::barrier(us::emulation::Vote::none, false, US_SITE); }
inline int __syncthreads_or(int value, US_SITE_PARAMETERS) {
  return us::emulation::barrier(us::emulation::Vote::any, value != 0, US_SITE);
}
inline int __syncthreads_and(int value, US_SITE_PARAMETERS) {
  return us::emulation::barrier(us::emulation::Vote::all, value != 0, US_SITE);
}
inline int __syncthreads_count(int value, US_SITE_PARAMETERS) {
  return us::emulation::barrier(us::emulation::Vote::count, value != 0, US_SITE);
}
inline void __syncwarp(unsigned mask = 0xffffffffU, US_SITE_PARAMETERS) {
  us::emulation::exchange(us::emulation::Exchange::sync, mask, 0, 0, warpSize, US_SITE);
}
inline unsigned __activemask(US_SITE_PARAMETERS) { return us::emulation::active_mask(US_SITE); }
inline unsigned __ballot_sync(unsigned mask, int value, US_SITE_PARAMETERS) {
  const std::uint64_t flag = value != 0 ? 1 : 0;
  return static_cast<unsigned>(
      us::emulation::exchange(us::emulation::Exchange::ballot, mask, flag, 0, warpSize, US_SITE));
}

namespace us::emulation {

template <typename T>
std::uint64_t bits_of(T value) {
  static_assert(std::is_arithmetic_v<T>, "lanes exchange numbers");
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <typename T>
T shuffle(Exchange kind, unsigned mask, T value, int argument, int width, Site site) {
  const std::uint64_t bits = exchange(kind, mask, bits_of(value), argument, width, site);
  T result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

}  // namespace us::emulation

template <typename T>
T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize, US_SITE_PARAMETERS) {
  return us::emulation::shuffle(us::emulation::Exchange::shuffle, mask, value, lane, width, US_SITE);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = warpSize, US_SITE_PARAMETERS) {
  return us::emulation::shuffle(us::emulation::Exchange::shuffle_up, mask, value, static_cast<int>(distance), width,
                                US_SITE);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = warpSize, US_SITE_PARAMETERS) {
  return us::emulation::shuffle(us::emulation::Exchange::shuffle_down, mask, value, static_cast<int>(distance), width,
                                US_SITE);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = warpSize, US_SITE_PARAMETERS) {
  return us::emulation::shuffle(us::emulation::Exchange::shuffle_xor, mask, value, lanes, width, US_SITE);
}
template <typename T>
unsigned __match_any_sync(unsigned mask, T value, US_SITE_PARAMETERS) {
  return static_cast<unsigned>(us::emulation::exchange(us::emulation::Exchange::match_any, mask,
                                                       us::emulation::bits_of(value), 0, warpSize, US_SITE));
}

#undef US_SITE
#undef US_SITE_PARAMETERS

/// Integers only: a sum of floating-point numbers would depend on the order in which threads come.
template <typename T>
T atomicAdd(T* to, T value) {
  static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>,
                "only integers are added atomically, so that results are deterministic");
  us::emulation::check_alignment(to, sizeof(T));
  return __atomic_fetch_add(to, value, __ATOMIC_RELAXED);
}

template <typename T>
T __ldg(const T* from) {
  us::emulation::check_alignment(from, alignof(T));
  return *from;
}

inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __clz(int value) { return value == 0 ? 32 : __builtin_clz(static_cast<unsigned>(value)); }
inline unsigned __float_as_uint(float value) { return static_cast<unsigned>(us::emulation::bits_of(value)); }
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline float rsqrtf(float value) { return 1.0F / sqrtf(value); }
inline double rsqrt(double value) { return 1.0 / sqrt(value); }

#define US_MIN_MAX(T)                                 \
  inline T min(T a, T b) { return b < a ? b : a; }    \
  inline T max(T a, T b) { return a < b ? b : a; }
US_MIN_MAX(int)
US_MIN_MAX(unsigned)
US_MIN_MAX(long)
US_MIN_MAX(unsigned long)
US_MIN_MAX(long long)
US_MIN_MAX(unsigned long long)
#undef US_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

// --- The runtime. Work is queued and done no sooner than it must be. ---

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9
};
enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice
};
struct CUstream_st;
using cudaStream_t = CUstream_st*;

struct cudaDeviceProp {
  char name[256];
  int major;
  int minor;
  int multiProcessorCount;
  std::size_t totalGlobalMem;
  std::size_t sharedMemPerBlock;
};

cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaMalloc(void** memory, std::size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);

namespace us::emulation {

void queue_kernel(const Grid& grid, cudaStream_t stream, std::function<void()> thread);

/// What kernel<<<blocks, threads, shared_bytes, stream>>>(arguments...) is with nvcc.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), unsigned blocks, unsigned threads, std::size_t shared_bytes,
            cudaStream_t stream, Arguments&&... arguments) {
  std::tuple<Parameters...> parameters(static_cast<Parameters>(std::forward<Arguments>(arguments))...);
  queue_kernel({blocks, threads, shared_bytes}, stream,
               [kernel, parameters = std::move(parameters)] { std::apply(kernel, parameters); });
}

}  // namespace us::emulation

// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,cert-oop54-cpp)
