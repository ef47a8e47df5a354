// The emulation itself: what CUDA promises holds in every order of threads and blocks, and what it forbids ends the
// process with a message that says what was done where. Each kernel that breaks a rule runs in a process of its own.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cuda_runtime.h"

namespace {

using us::emulation::launch;

constexpr unsigned kAll = 0xffffffffU;
constexpr int kThreads = 64;
int failures = 0;

void check(bool passed, const std::string& what) {
  if (passed) return;
  ++failures;
  std::printf("FAILED %s\n", what.c_str());
}

/// Device memory of one kernel's results, read back when the kernel has run.
template <typename T>
class Results {
 public:
  explicit Results(std::size_t count) : host_(count) { cudaMalloc(&memory_, count * sizeof(T)); }
  ~Results() { cudaFree(memory_); }
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;
  T* get() const { return static_cast<T*>(memory_); }
  const std::vector<T>& read() {
    cudaMemcpyAsync(host_.data(), memory_, host_.size() * sizeof(T), cudaMemcpyDeviceToHost, nullptr);
    cudaStreamSynchronize(nullptr);
    return host_;
  }

 private:
  std::vector<T> host_;
  void* memory_ = nullptr;
};

template <typename Kernel, typename... Arguments>
void run(Kernel kernel, unsigned blocks, Arguments... arguments) {
  launch(kernel, blocks, kThreads, 256, nullptr, arguments...);
  check(cudaGetLastError() == cudaSuccess, "a good launch");
}

// --- What CUDA promises ---

void reverse_kernel(int* to) {
  __shared__ int values[kThreads];
  const int thread = static_cast<int>(threadIdx.x);
  values[thread] = static_cast<int>(blockIdx.x) * 1000 + thread;
  __syncthreads();
  to[blockIdx.x * blockDim.x + threadIdx.x] = values[kThreads - 1 - thread];
}

void votes_kernel(int* to) {
  const int thread = static_cast<int>(threadIdx.x);
  const int results[] = {__syncthreads_or(thread == 9), __syncthreads_or(0), __syncthreads_and(thread != 9),
                         __syncthreads_and(1), __syncthreads_count(thread % 4 == 0)};
  for (int i = 0; i < 5; ++i) to[i * kThreads + thread] = results[i];
}

void warp_kernel(int* to) {
  const int thread = static_cast<int>(threadIdx.x);
  const double half = thread / 2.0;
  const int results[] = {
      __shfl_sync(kAll, thread, 3),
      __shfl_sync(kAll, thread, 3, 8),
      __shfl_up_sync(kAll, thread, 2),
      __shfl_down_sync(kAll, thread, 5, 16),
      __shfl_xor_sync(kAll, thread, 17),
      static_cast<int>(2 * __shfl_xor_sync(kAll, half, 1)),
      static_cast<int>(__ballot_sync(kAll, thread % 3 == 0)),
      static_cast<int>(__match_any_sync(kAll, thread % 5)),
  };
  for (int i = 0; i < 8; ++i) to[i * kThreads + thread] = results[i];
}

int expected_of_warp(int which, int thread) {
  const int lane = thread % 32;
  const int warp = thread - lane;
  unsigned lanes = 0;
  switch (which) {
    case 0: return warp + 3;
    case 1: return warp + lane / 8 * 8 + 3;
    case 2: return lane < 2 ? thread : thread - 2;
    case 3: return lane % 16 + 5 < 16 ? thread + 5 : thread;
    case 4: return warp + (lane ^ 17);
    case 5: return thread ^ 1;
    case 6:
      for (int i = 0; i < 32; ++i) lanes |= (warp + i) % 3 == 0 ? 1U << i : 0;
      return static_cast<int>(lanes);
    default:
      for (int i = 0; i < 32; ++i) lanes |= (warp + i) % 5 == thread % 5 ? 1U << i : 0;
      return static_cast<int>(lanes);
  }
}

/// Half of a warp exchanges among itself, and the lanes that run together find each other.
void partial_kernel(int* to) {
  const int thread = static_cast<int>(threadIdx.x);
  int value = -1;
  if (thread % 2 == 0) {
    value = __shfl_xor_sync(0x55555555U, thread, 2);
  } else {
    value = __popc(__activemask());
  }
  to[thread] = value;
}

void sum_kernel(int* to, unsigned long long* large) {
  int* const shared = static_cast<int*>(us::emulation::dynamic_shared());
  if (threadIdx.x == 0) *shared = 0;
  __syncthreads();
  atomicAdd(shared, static_cast<int>(threadIdx.x));
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(large, static_cast<unsigned long long>(*shared));
  to[blockIdx.x * blockDim.x + threadIdx.x] = *shared;
}

void test_promises(std::uint64_t order) {
  us::emulation::set_order(order);
  Results<int> reversed(std::size_t{7} * kThreads);
  run(reverse_kernel, 7, reversed.get());
  Results<int> votes(std::size_t{5} * kThreads);
  run(votes_kernel, 1, votes.get());
  Results<int> warp(std::size_t{8} * kThreads);
  run(warp_kernel, 1, warp.get());
  Results<int> partial(kThreads);
  run(partial_kernel, 1, partial.get());
  Results<int> sums(std::size_t{3} * kThreads);
  Results<unsigned long long> large(1);
  cudaMemsetAsync(large.get(), 0, sizeof(unsigned long long), nullptr);
  run(sum_kernel, 3, sums.get(), large.get());
  constexpr int kVotes[] = {1, 0, 0, 1, 16};
  constexpr int kSum = kThreads * (kThreads - 1) / 2;
  for (int i = 0; i < kThreads; ++i) {
    const auto at = static_cast<std::size_t>(i);
    for (std::size_t block = 0; block < 7; ++block) {
      check(reversed.read()[block * kThreads + at] == static_cast<int>(block) * 1000 + kThreads - 1 - i, "barrier");
    }
    for (std::size_t j = 0; j < 5; ++j) check(votes.read()[j * kThreads + at] == kVotes[j], "vote");
    for (std::size_t j = 0; j < 8; ++j) {
      check(warp.read()[j * kThreads + at] == expected_of_warp(static_cast<int>(j), i), "warp " + std::to_string(j));
    }
    check(partial.read()[at] == (i % 2 == 0 ? i ^ 2 : 16), "part of a warp");
    check(sums.read()[at] == kSum, "shared sum");
  }
  check(large.read()[0] == std::size_t{3} * kSum, "sum over blocks");
  launch(reverse_kernel, 0, kThreads, 0, nullptr, reversed.get());
  check(cudaGetLastError() == cudaErrorInvalidConfiguration, "a grid without blocks");
  launch(reverse_kernel, 1, 1025, 0, nullptr, reversed.get());
  check(cudaGetLastError() == cudaErrorInvalidConfiguration, "too many threads");
  launch(reverse_kernel, 1, 32, 65536, nullptr, reversed.get());
  check(cudaGetLastError() == cudaErrorInvalidValue, "too much shared memory");
}

// --- What depends on the order, which no rule of CUDA fixes ---

void race_kernel(int* to) {
  __shared__ int values[kThreads];
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  to[threadIdx.x] = values[(threadIdx.x + 1) % kThreads];
}

#ifndef __SANITIZE_ADDRESS__
void unwritten_kernel(int* to) {
  __shared__ int value;
  if (threadIdx.x == 99) value = 0;
  to[threadIdx.x] = value;
}
#endif

template <typename Kernel>
bool depends_on_order(Kernel kernel) {
  std::vector<int> first;
  for (const std::uint64_t order : {0, 1}) {
    us::emulation::set_order(order);
    Results<int> results(kThreads);
    run(kernel, 1, results.get());
    if (order == 0) first = results.read();
    if (order == 1) return results.read() != first;
  }
  return false;
}

void nothing_kernel(int* /*to*/) {}

// --- What CUDA forbids ---

void other_barrier_kernel(int* /*to*/) {
  if (threadIdx.x < 8) {  // NOLINT(bugprone-branch-clone): two barriers are the point
    __syncthreads();
  } else {
    __syncthreads();
  }
}
void ended_at_barrier_kernel(int* /*to*/) {
  if (threadIdx.x == 5) return;
  __syncthreads();
}
void ended_in_exchange_kernel(int* to) {
  if (threadIdx.x == 5) return;
  to[threadIdx.x] = __shfl_xor_sync(kAll, 1, 1);
}
void elsewhere_kernel(int* to) {
  if (threadIdx.x < 8) {
    to[threadIdx.x] = __shfl_sync(kAll, 1, 0);
  } else {
    __syncthreads();
  }
}
void not_in_mask_kernel(int* to) { to[threadIdx.x] = __shfl_sync(0xffffU, 1, 0); }
void reads_outside_mask_kernel(int* to) {
  if (threadIdx.x % 32 < 16) to[threadIdx.x] = __shfl_sync(0xffffU, 1, 20);
}
void write_behind_kernel(int* to) { to[kThreads] = 0; }
void write_into_margin_kernel(int* to) { reinterpret_cast<char*>(to)[kThreads * 4 - 3 + threadIdx.x % 3] = 0; }
void write_before_kernel(int* to) { to[-1] = 0; }
void read_behind_kernel(int* to) { to[0] = to[kThreads]; }
#ifdef __SANITIZE_ADDRESS__
void read_behind_shared_kernel(int* to) {
  __shared__ int values[kThreads];
  values[threadIdx.x] = 1;
  __syncthreads();
  const int* next = values + 1;
  asm("" : "+r"(next));  // the bounds must be found missed in memory, not in the type
  to[threadIdx.x] = next[threadIdx.x];
}
void write_behind_dynamic_kernel(int* /*to*/) { static_cast<char*>(us::emulation::dynamic_shared())[threadIdx.x] = 0; }
#endif
void misaligned_kernel(int* to) {
  *reinterpret_cast<float4*>(to + 1) = make_float4(0, 0, 0, 0);
}
void misaligned_load_kernel(int* to) { to[0] = __ldg(reinterpret_cast<int4*>(to + 2)).x; }

template <typename Body>
void expect_misuse(const std::string& message, Body body) {
  int ends[2];
  if (pipe(ends) != 0) return check(false, "pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    body();
    _exit(0);
  }
  close(ends[1]);
  std::string output;
  char part[256];
  for (ssize_t size = read(ends[0], part, sizeof part); size > 0; size = read(ends[0], part, sizeof part)) {
    output.append(part, static_cast<std::size_t>(size));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  check(status != 0, message + ": the process went on");
  check(output.find(message) != std::string::npos, message + " is not in: " + output);
}

template <typename Kernel>
void expect_misuse_by(const std::string& message, Kernel kernel, std::size_t bytes = kThreads * sizeof(int)) {
  expect_misuse(message, [&] {
    void* memory = nullptr;
    cudaMalloc(&memory, bytes);
    launch(kernel, 2, kThreads, 0, nullptr, static_cast<int*>(memory));
    cudaStreamSynchronize(nullptr);
  });
}

void test_misuse() {
  expect_misuse_by("waits at the barrier", other_barrier_kernel);
  expect_misuse_by("1 threads ended", ended_at_barrier_kernel);
  expect_misuse_by("lane 5 of its warp", ended_in_exchange_kernel);
  expect_misuse_by("cannot go on", elsewhere_kernel);
  expect_misuse_by("not in the mask of its own exchange", not_in_mask_kernel);
  expect_misuse_by("reads lane 20, which is not in the mask", reads_outside_mask_kernel);
  expect_misuse_by("0 bytes behind the end", write_behind_kernel);
  expect_misuse_by("0 bytes behind the end", read_behind_kernel);
  expect_misuse_by("a write 0 bytes behind the end", write_into_margin_kernel, kThreads * sizeof(int) - 3);
  expect_misuse_by("a write 4 bytes before the start", write_before_kernel);
#ifdef __SANITIZE_ADDRESS__
  expect_misuse_by("global-buffer-overflow", read_behind_shared_kernel);
  expect_misuse_by("heap-buffer-overflow", write_behind_dynamic_kernel);
#endif
  expect_misuse_by("misaligned address", misaligned_kernel);
  expect_misuse_by("misaligned address", misaligned_load_kernel);

  void* memory = nullptr;
  cudaMalloc(&memory, 16);
  int host[5] = {};
  expect_misuse("touched outside a kernel", [&] { host[0] = *static_cast<volatile int*>(memory); });
  expect_misuse("not in one allocation", [&] {
    cudaMemcpyAsync(host, memory, sizeof host, cudaMemcpyDeviceToHost, nullptr);
    cudaStreamSynchronize(nullptr);
  });
  expect_misuse("no device memory: an unknown address", [&] { cudaFree(host); });
  expect_misuse("no device memory: 0 bytes after the start of a freed allocation of 16 bytes", [&] {
    cudaFree(memory);
    cudaFree(memory);
  });
  expect_misuse("of a freed allocation", [&] {
    cudaFreeAsync(memory, nullptr);
    launch(reverse_kernel, 1, 1, 0, nullptr, static_cast<int*>(memory));
    cudaStreamSynchronize(nullptr);
  });
  cudaFree(memory);
}

}  // namespace

int main() {
  for (const std::uint64_t order : {0, 1, 2, 3, 4}) test_promises(order);
  check(depends_on_order(race_kernel), "a missing barrier shows");
#ifndef __SANITIZE_ADDRESS__
  check(depends_on_order(unwritten_kernel), "shared memory that nobody wrote shows");
#endif
  check(depends_on_order(nothing_kernel), "device memory that nobody wrote shows");
  test_misuse();
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
