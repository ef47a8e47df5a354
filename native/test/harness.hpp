#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "unitscope/unitscope.h"

/// Counts checks and failures; shows the first failures of a run.
class Report {
 public:
  template <typename... Values>
  bool check(bool passed, const char* format, Values... values) {
    ++checks_;
    if (passed) return true;
    if (++failures_ <= 20) {
      std::printf("FAILED ");
      std::printf(format, values...);
      std::printf("\n");
    }
    return false;
  }

  bool check(bool passed, const char* text) { return check(passed, "%s", text); }

  int checks() const { return checks_; }
  int failures() const { return failures_; }

 private:
  int checks_ = 0;
  int failures_ = 0;
};

/// An array in the middle of a larger block: `shift` elements off a cache line, with a marker all around, so that a read
/// or a write beyond the array shows. For floats the marker is NaN, which spoils whatever reads it.
template <typename T>
class GuardedArray {
 public:
  GuardedArray(std::size_t size, std::size_t shift, std::vector<T> content = {})
      : size_(size), block_(size + 2 * kMargin + kMaxShift) {
    std::memset(block_.data(), 0xff, block_.size() * sizeof(T));
    const auto address = reinterpret_cast<std::uintptr_t>(block_.data());
    const std::size_t to_line = (64 - address % 64) % 64 / sizeof(T);
    start_ = kMargin / 2 + to_line + shift;
    for (std::size_t i = 0; i < content.size(); ++i) block_[start_ + i] = content[i];
  }

  T* data() { return block_.data() + start_; }
  const T* data() const { return block_.data() + start_; }
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return size_ * sizeof(T); }
  const T& operator[](std::size_t i) const { return block_[start_ + i]; }

  bool is_intact() const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(block_.data());
    for (std::size_t i = 0; i < block_.size() * sizeof(T); ++i) {
      const std::size_t element = i / sizeof(T);
      if ((element < start_ || element >= start_ + size_) && bytes[i] != 0xff) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kMargin = 256;
  static constexpr std::size_t kMaxShift = 64;
  std::size_t size_;
  std::vector<T> block_;
  std::size_t start_ = 0;
};

/// The array where the back end wants it. The copy back ends the life of the device memory.
template <typename T>
class OnBackend {
 public:
  OnBackend(const us_execution& execution, GuardedArray<T>& array) : execution_(execution), array_(array), memory_(array.data()) {
    if (execution.backend == US_BACKEND_CPU) return;
    void* memory = nullptr;
    if (us_memory_allocate(execution.backend, array.bytes(), &memory) == US_OK) {
      us_memory_copy(&execution, US_COPY_TO_DEVICE, memory, array.data(), array.bytes());
    }
    memory_ = static_cast<T*>(memory);
  }

  ~OnBackend() {
    if (execution_.backend == US_BACKEND_CPU) return;
    us_memory_copy(&execution_, US_COPY_TO_HOST, array_.data(), memory_, array_.bytes());
    us_synchronize(&execution_);
    us_memory_free(execution_.backend, memory_);
  }

  OnBackend(const OnBackend&) = delete;
  OnBackend& operator=(const OnBackend&) = delete;

  T* get() const { return memory_; }

 private:
  us_execution execution_;
  GuardedArray<T>& array_;
  T* memory_;
};

/// For comparisons that tell zeros of both signs apart, and NaN from NaN.
inline std::uint32_t bits_of(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// A small seeded generator, so that a failure can be run again.
class Generator {
 public:
  explicit Generator(std::uint32_t seed) : state_(seed * 2654435761u + 1u) {}

  std::uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }

  int integer(int low, int high) { return low + static_cast<int>(next() % static_cast<std::uint32_t>(high - low + 1)); }
  float real() { return static_cast<float>(next()) / 2147483648.0F - 1.0F; }

 private:
  std::uint32_t state_;
};

void test_interface(Report& report);
void test_pooling(Report& report, us_backend backend);
void test_template_mask(Report& report, us_backend backend);
void test_mutual_information(Report& report, us_backend backend);
void test_iou_counts(Report& report, us_backend backend);
void test_top_quantile(Report& report, us_backend backend);
void test_maps(Report& report, us_backend backend);
void test_products(Report& report, us_backend backend);
void test_graph_em_step(Report& report, us_backend backend);
void test_optimizers(Report& report, us_backend backend);
void test_lasso(Report& report, us_backend backend);
