#include "ort/buffer_pool.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace us::ort {
namespace {

constexpr std::align_val_t kAlignment{64};
/// Of buffers this small there are as many as there are results, and a fresh one costs little.
constexpr std::size_t kSmallest = 4096;

void* allocate(std::size_t bytes) {
  // Not the form that throws: under AddressSanitizer that one ends the process instead.
  void* const data = ::operator new(bytes, kAlignment, std::nothrow);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}
void release(void* data) noexcept { ::operator delete(data, kAlignment); }

}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(data_, other.data_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

Buffer::~Buffer() {
  if (data_ != nullptr) pool_->give_back(data_, capacity_);
}

BufferPool::~BufferPool() {
  for (const Spare& spare : spares_) release(spare.data);
}

Buffer BufferPool::take(std::size_t bytes) {
  const std::size_t wanted = std::max(bytes, kSmallest);
  {
    const std::lock_guard lock(mutex_);
    // The smallest that holds it, unless most of it would lie idle.
    auto best = spares_.end();
    for (auto spare = spares_.begin(); spare != spares_.end(); ++spare) {
      if (spare->capacity < wanted || spare->capacity / 2 > wanted) continue;
      if (best == spares_.end() || spare->capacity <= best->capacity) best = spare;
    }
    if (best != spares_.end()) {
      Buffer buffer(shared_from_this(), best->data, best->capacity);
      kept_ -= best->capacity;
      spares_.erase(best);
      return buffer;
    }
  }
  return {shared_from_this(), allocate(wanted), wanted};
}

std::size_t BufferPool::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_;
}

void BufferPool::give_back(void* data, std::size_t capacity) noexcept {
  const std::lock_guard lock(mutex_);
  if (capacity > limit_) {
    release(data);
    return;
  }
  try {
    spares_.push_back({data, capacity});
  } catch (const std::bad_alloc&) {
    release(data);
    return;
  }
  kept_ += capacity;
  auto first = spares_.begin();
  for (; kept_ > limit_; ++first) {
    kept_ -= first->capacity;
    release(first->data);
  }
  spares_.erase(spares_.begin(), first);
}

}  // namespace us::ort
