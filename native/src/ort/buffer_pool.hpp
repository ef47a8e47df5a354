#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace us::ort {

class BufferPool;

/// Memory on a cache line's boundary that goes back to its pool.
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::shared_ptr<BufferPool> pool, void* data, std::size_t capacity)
      : pool_(std::move(pool)), data_(data), capacity_(capacity) {}
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  void* data() const { return data_; }

 private:
  std::shared_ptr<BufferPool> pool_;
  void* data_ = nullptr;
  std::size_t capacity_ = 0;
};

/// Memory for results. The pages of a fresh buffer of 50 MB cost as much as running a small network does, those of a
/// used one nothing, so buffers are kept, the last ones up to `limit` bytes. Any thread may take and give back.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  explicit BufferPool(std::size_t limit) : limit_(limit) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// At least `bytes` bytes; throws std::bad_alloc. Only of a pool that a shared_ptr owns.
  Buffer take(std::size_t bytes);

  /// Bytes that lie ready.
  std::size_t kept() const;

 private:
  friend class Buffer;
  struct Spare {
    void* data;
    std::size_t capacity;
  };

  void give_back(void* data, std::size_t capacity) noexcept;

  mutable std::mutex mutex_;
  std::vector<Spare> spares_;  // the longest unused first
  std::size_t kept_ = 0;
  const std::size_t limit_;
};

}  // namespace us::ort
