#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>

namespace us::ort {

/// Work in its order on one thread, which lives as long as the process.
class WorkQueue {
 public:
  using Work = std::function<void()>;

  /// The one for runs. ONNX Runtime's pool already gives every core to a run, so runs take turns; the thread takes part
  /// in the pool's work.
  static WorkQueue& runs();
  /// The one for opening and loading, which use one core.
  static WorkQueue& loads();

  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// `work` must not throw. Throws std::system_error if there can be no thread.
  void post(const void* owner, Work work);

  /// Drops the owner's work that has not begun and says how much it was.
  std::size_t discard(const void* owner);

 private:
  WorkQueue() = default;
  ~WorkQueue() = default;
  void loop();

  struct Item {
    const void* owner;
    Work work;
  };

  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<Item> items_;
  bool started_ = false;
};

}  // namespace us::ort
