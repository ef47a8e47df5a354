#include "ort/work_queue.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace us::ort {

// Never destroyed: the threads wait on them until the process ends.
WorkQueue& WorkQueue::runs() {
  static auto& queue = *new WorkQueue;
  return queue;
}

WorkQueue& WorkQueue::loads() {
  static auto& queue = *new WorkQueue;
  return queue;
}

void WorkQueue::post(const void* owner, Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (!started_) std::thread([this] { loop(); }).detach();
    started_ = true;
    items_.push_back({owner, std::move(work)});
  }
  posted_.notify_one();
}

std::size_t WorkQueue::discard(const void* owner) {
  const std::lock_guard lock(mutex_);
  const auto is_owned = [owner](const Item& item) { return item.owner == owner; };
  const auto kept = std::remove_if(items_.begin(), items_.end(), is_owned);
  const auto dropped = static_cast<std::size_t>(items_.end() - kept);
  items_.erase(kept, items_.end());
  return dropped;
}

void WorkQueue::loop() {
  for (;;) {
    std::unique_lock lock(mutex_);
    posted_.wait(lock, [this] { return !items_.empty(); });
    const Item item = std::move(items_.front());
    items_.pop_front();
    lock.unlock();
    item.work();
  }
}

}  // namespace us::ort
