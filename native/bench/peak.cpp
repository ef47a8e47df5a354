// The roofs under which kernels are measured: how fast this machine copies, reads, multiplies and adds. Reads one
// command per line and answers with one line of JSON, so that a harness can take its measurements in turn with others:
//
//   copy BYTES THREADS    -> {"ms": ..., "by": "memcpy" or "streaming stores"}   half of BYTES read, half written
//   read BYTES THREADS    -> {"ms": ...}
//   fma32 THREADS         -> {"gflops": ..., "by": instruction set}              float
//   fma64 THREADS         -> {"gflops": ..., "by": instruction set}              double
//
// A pass over few bytes is repeated until it can be timed; what fits into a cache then stays there, as it does for a
// kernel that runs again and again.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLine = 64;
constexpr std::size_t kTimedBytes = std::size_t{64} << 20U;

/// Milliseconds from the common start of `threads` threads, each calling `work(thread)`, to the end of the last.
template <typename Work>
double time_threads(int threads, Work work) {
  std::atomic<int> waiting{threads};
  std::vector<Clock::time_point> starts(static_cast<std::size_t>(threads));
  std::vector<Clock::time_point> ends(static_cast<std::size_t>(threads));
  const auto body = [&](int thread) {
    waiting.fetch_sub(1);
    while (waiting.load() > 0) std::this_thread::yield();
    starts[static_cast<std::size_t>(thread)] = Clock::now();
    work(thread);
    ends[static_cast<std::size_t>(thread)] = Clock::now();
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(body, thread);
  body(0);
  for (std::thread& other : others) other.join();
  const auto first = *std::min_element(starts.begin(), starts.end());
  const auto last = *std::max_element(ends.begin(), ends.end());
  return std::chrono::duration<double, std::milli>(last - first).count();
}

/// Memory that starts on a cache line, its pages there.
class Buffer {
 public:
  char* of_size(std::size_t bytes) {
    const std::size_t size = (bytes + kLine - 1) / kLine * kLine;
    if (size > size_) {
      memory_.reset(static_cast<char*>(std::aligned_alloc(kLine, size)));
      if (memory_ == nullptr) throw std::bad_alloc();
      std::memset(memory_.get(), 1, size);
      size_ = size;
    }
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  std::unique_ptr<char, Free> memory_;
  std::size_t size_ = 0;
};

/// The part of one thread, in whole cache lines.
struct Part {
  std::size_t begin;
  std::size_t size;
};

Part part_of(std::size_t bytes, int threads, int thread) {
  const auto lines = (bytes + kLine - 1) / kLine;
  const auto shares = static_cast<std::size_t>(threads);
  const auto bound = [&](int at) { return lines * static_cast<std::size_t>(at) / shares * kLine; };
  return {bound(thread), bound(thread + 1) - bound(thread)};
}

/// Copies past the caches, which saves reading the lines that are overwritten.
void stream(char* to, const char* from, std::size_t bytes) {
#if defined(__SSE2__)
  for (std::size_t i = 0; i < bytes; i += sizeof(__m128i)) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_load_si128(reinterpret_cast<const __m128i*>(from + i)));
  }
  _mm_sfence();
#else
  std::memcpy(to, from, bytes);
#endif
}

/// Keeps what was computed from being optimized away.
std::atomic<std::uint64_t> sink{0};

/// Reads four streams at once, as memory controllers like it: one alone waits for each page's translation.
void read(const char* from, std::size_t bytes) {
  using Words [[gnu::vector_size(16), gnu::may_alias]] = std::uint64_t;
  constexpr std::size_t kStreams = 4;
  constexpr std::size_t kWords = kLine / sizeof(Words);
  const std::size_t stream = bytes / kLine / kStreams * kLine;
  Words a = {};
  Words b = {};
  Words c = {};
  Words d = {};
  const auto take = [&](const char* line) {
    const auto* words = reinterpret_cast<const Words*>(line);
    static_assert(kWords == 4, "a line is four words");
    a ^= words[0];
    b ^= words[1];
    c ^= words[2];
    d ^= words[3];
  };
  for (std::size_t i = 0; i < stream; i += kLine) {
    for (std::size_t s = 0; s < kStreams; ++s) take(from + s * stream + i);
  }
  for (std::size_t i = kStreams * stream; i < bytes; i += kLine) take(from + i);
  const Words sum = (a ^ b) ^ (c ^ d);
  sink.fetch_xor(sum[0] ^ sum[1], std::memory_order_relaxed);
}

int repeats_for(std::size_t bytes) {
  return static_cast<int>(std::max<std::size_t>(1, kTimedBytes / std::max<std::size_t>(1, bytes)));
}

std::string copy(std::size_t bytes, int threads) {
  static Buffer source;
  static Buffer target;
  const std::size_t half = bytes / 2;
  const char* from = source.of_size(half);
  char* to = target.of_size(half);
  const int repeats = repeats_for(bytes);
  const auto time = [&](auto copy_part) {
    return time_threads(threads, [&](int thread) {
             const Part part = part_of(half, threads, thread);
             for (int pass = 0; pass < repeats; ++pass) copy_part(to + part.begin, from + part.begin, part.size);
           }) / repeats;
  };
  const double plain = time([](char* into, const char* out_of, std::size_t size) { std::memcpy(into, out_of, size); });
  const double streaming = time(stream);
  std::ostringstream answer;
  answer << R"({"ms": )" << std::min(plain, streaming) << R"(, "by": ")"
         << (plain <= streaming ? "memcpy" : "streaming stores") << R"("})";
  return answer.str();
}

std::string read(std::size_t bytes, int threads) {
  static Buffer source;
  const char* from = source.of_size(bytes);
  const int repeats = repeats_for(bytes);
  const double ms = time_threads(threads, [&](int thread) {
                      const Part part = part_of(bytes, threads, thread);
                      for (int pass = 0; pass < repeats; ++pass) read(from + part.begin, part.size);
                    }) / repeats;
  std::ostringstream answer;
  answer << R"({"ms": )" << ms << "}";
  return answer.str();
}

// Enough sums for two units of a latency of six cycles, few enough for sixteen registers.
constexpr int kSums = 12;
constexpr std::int64_t kTurns = 1'000'000;

/// kTurns times kSums vectors of `BYTES` bytes, each multiplied and added to; returns floating-point operations.
#define US_FMA_LOOP(NAME, NUMBER, BYTES, ...)                                                            \
  __VA_ARGS__ double NAME() {                                                                            \
    using Vector [[gnu::vector_size(BYTES)]] = NUMBER;                                                   \
    constexpr auto kLanes = static_cast<int>(BYTES / sizeof(NUMBER));                                    \
    Vector sums[kSums];                                                                                  \
    for (int i = 0; i < kSums; ++i) sums[i] = Vector{} + static_cast<NUMBER>(i);                         \
    const Vector factor = Vector{} + static_cast<NUMBER>(0.999);                                         \
    const Vector term = Vector{} + static_cast<NUMBER>(0.001);                                           \
    for (std::int64_t turn = 0; turn < kTurns; ++turn) {                                                 \
      for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * factor + term;                                 \
    }                                                                                                    \
    for (int i = 1; i < kSums; ++i) sums[0] += sums[i];                                                  \
    std::uint64_t bits = 0;                                                                              \
    std::memcpy(&bits, &sums[0], sizeof bits);                                                           \
    sink.fetch_xor(bits, std::memory_order_relaxed);                                                     \
    return 2.0 * static_cast<double>(kTurns) * kSums * kLanes;                                           \
  }

US_FMA_LOOP(baseline32, float, 16, )
US_FMA_LOOP(baseline64, double, 16, )
#if defined(__x86_64__)
US_FMA_LOOP(avx2_32, float, 32, [[gnu::target("avx2,fma")]])
US_FMA_LOOP(avx2_64, double, 32, [[gnu::target("avx2,fma")]])
US_FMA_LOOP(avx512_32, float, 64, [[gnu::target("avx512f")]])
US_FMA_LOOP(avx512_64, double, 64, [[gnu::target("avx512f")]])
#endif
#undef US_FMA_LOOP

struct Arithmetic {
  const char* isa;
  double (*float32)();
  double (*float64)();
};

Arithmetic widest() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {"avx512", avx512_32, avx512_64};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"avx2", avx2_32, avx2_64};
#endif
  return {"baseline", baseline32, baseline64};
}

std::string fma(int threads, const char* isa, double (*loop)()) {
  std::vector<double> operations(static_cast<std::size_t>(threads));
  const double ms = time_threads(threads, [&](int thread) { operations[static_cast<std::size_t>(thread)] = loop(); });
  double total = 0;
  for (const double count : operations) total += count;
  std::ostringstream answer;
  answer << R"({"gflops": )" << total / ms / 1e6 << R"(, "by": ")" << isa << R"("})";
  return answer.str();
}

std::string answer_to(const std::string& line) {
  std::istringstream words(line);
  std::string what;
  std::size_t bytes = 0;
  int threads = 0;
  words >> what;
  const bool moves = what == "copy" || what == "read";
  if (moves) words >> bytes;
  words >> threads;
  if (!words || threads < 1 || threads > 1024) return R"({"error": "copy|read BYTES THREADS or fma32|fma64 THREADS"})";
  const Arithmetic arithmetic = widest();
  if (what == "copy") return copy(bytes, threads);
  if (what == "read") return read(bytes, threads);
  if (what == "fma32") return fma(threads, arithmetic.isa, arithmetic.float32);
  if (what == "fma64") return fma(threads, arithmetic.isa, arithmetic.float64);
  return R"({"error": "there are copy, read, fma32 and fma64"})";
}

}  // namespace

int main() {
  try {
    for (std::string line; std::getline(std::cin, line);) std::cout << answer_to(line) << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "peak: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
