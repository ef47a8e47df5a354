#pragma once

#include <cstdint>

#include "cpu/simd.hpp"

namespace us::cpu::US_ISA {
namespace {

constexpr std::int64_t kCacheLine = 64;

/// For two sizes below 2^31: half the cost of the same in 64 bits.
inline std::int64_t remainder(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint32_t>(a) % static_cast<std::uint32_t>(b));
}

/// Hands out pieces of one block of memory. Over a null block it only counts, so the same code that lays a structure
/// out also measures it.
class Arena {
 public:
  explicit Arena(char* block) : block_(block) {}

  template <typename T>
  T* take(std::int64_t count) {
    T* const piece = block_ == nullptr ? nullptr : reinterpret_cast<T*>(block_ + used_);
    const std::int64_t bytes = count * static_cast<std::int64_t>(sizeof(T));
    used_ += (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
    return piece;
  }

  std::int64_t used() const { return used_; }

 private:
  char* block_;
  std::int64_t used_ = 0;
};

/// From this size on an output outlives the caches anyway, and writing it past them saves a third of the traffic.
constexpr std::int64_t kStreamedBytes = std::int64_t{8} << 20;

/// Takes rows of an output, of `row` elements each. A row may be written with whole vectors: what runs over its end is
/// overwritten by the next row and never leaves the sink. Where the output is streamed, rows are collected and written
/// past the caches in whole lines; otherwise they are written in place, but for the last ones.
template <typename T>
class RowSink {
 public:
  void layout(Arena& arena, std::int64_t row) {
    row_ = row;
    buffer_ = arena.take<T>(kBlock + row + kOverrun + kCacheLine);
  }

  void start(T* to, std::int64_t rows, bool streamed) {
    to_ = reinterpret_cast<char*>(to);
    end_ = reinterpret_cast<char*>(to + rows * row_);
    filled_ = 0;
    streamed_ = streamed;
  }

  T* row() {
    const bool in_place = !streamed_ && end_ - to_ >= (row_ + kOverrun) * kSize;
    return in_place ? reinterpret_cast<T*>(to_) : buffer_ + filled_;
  }

  /// `written` is what row() gave for the row that is now complete.
  void advance(const T* written) {
    if (written != buffer_ + filled_) {
      to_ += row_ * kSize;
      return;
    }
    filled_ += row_;
    if (!streamed_ || filled_ >= kBlock) flush();
  }

  void finish() {
    flush();
    copy(filled_ * kSize);
    filled_ = 0;
    if (streamed_) finish_copies_past_caches();
  }

 private:
  static constexpr std::int64_t kSize = sizeof(T);
  // Short, so that writing to memory alternates with computing: 16 KB at a time was up to a third slower.
  static constexpr std::int64_t kBlock = 1024 / kSize;
  static constexpr std::int64_t kOverrun = 2 * kSlack;

  void flush() {
    auto* const bytes = reinterpret_cast<char*>(buffer_);
    const std::int64_t there = filled_ * kSize;
    if (!streamed_) {
      copy(there);
      filled_ = 0;
      return;
    }
    const auto misaligned = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(to_) % kCacheLine);
    std::int64_t head = misaligned == 0 ? 0 : kCacheLine - misaligned;
    if (head > there) head = there;
    copy(head);
    const std::int64_t lines = (there - head) / kCacheLine * kCacheLine;
    copy_past_caches(to_, bytes + head, lines);
    to_ += lines;
    const std::int64_t rest = there - head - lines;
    __builtin_memmove(bytes, bytes + head + lines, static_cast<std::size_t>(rest));
    filled_ = rest / kSize;
  }

  void copy(std::int64_t bytes) {
    __builtin_memcpy(to_, buffer_, static_cast<std::size_t>(bytes));
    to_ += bytes;
  }

  T* buffer_ = nullptr;
  std::int64_t row_ = 0;
  std::int64_t filled_ = 0;
  char* to_ = nullptr;
  char* end_ = nullptr;
  bool streamed_ = false;
};

}  // namespace
}  // namespace us::cpu::US_ISA
