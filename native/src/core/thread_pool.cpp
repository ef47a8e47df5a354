#include "core/thread_pool.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "core/error.hpp"

namespace us {
namespace {

constexpr int kMaxThreads = 256;
// Below this many elements a thread's share costs less than waking it.
constexpr std::int64_t kGrain = 32768;

struct Job {
  int tasks;
  std::int64_t items;
  TaskFunction function;
  void* context;
  std::atomic<int> next{0};
  std::mutex mutex;
  std::condition_variable done;
  int finished = 0;
  int failed_task = kMaxThreads;
  us_status status = US_OK;
  char message[1024] = "";  // a fixed size: a pooled thread has nobody to report a failed allocation to

  TaskRange range(int task) const {
    const std::int64_t share = items / tasks;
    const std::int64_t rest = items % tasks;
    const auto start = [&](std::int64_t t) { return share * t + (t < rest ? t : rest); };
    return {task, start(task), start(task + 1)};
  }

  void work() {
    for (int task = next.fetch_add(1); task < tasks; task = next.fetch_add(1)) {
      const us_status result = function(context, range(task));
      const std::lock_guard<std::mutex> lock(mutex);
      if (result != US_OK && task < failed_task) {
        failed_task = task;
        status = result;
        std::snprintf(message, sizeof message, "%s", us_last_error_message());
      }
      if (++finished == tasks) done.notify_all();
    }
  }
};

class ThreadPool {
 public:
  /// Queues the job for `helpers` threads. A thread that cannot be started is not an error: the others take its share.
  void offer(const std::shared_ptr<Job>& job, int helpers) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (int i = 0; i < helpers; ++i) queue_.push_back(job);
      while (threads_ < helpers && start_thread()) ++threads_;
    }
    ready_.notify_all();
  }

 private:
  bool start_thread() {
    try {
      std::thread([this] { serve(); }).detach();
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }

  void serve() {
    for (;;) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        ready_.wait(lock, [this] { return !queue_.empty(); });
        job = std::move(queue_.front());
        queue_.pop_front();
      }
      job->work();
    }
  }

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::shared_ptr<Job>> queue_;
  int threads_ = 0;
};

ThreadPool& pool() {
  // Never destroyed: its threads may still wait on it while the process ends.
  static auto* const instance = new ThreadPool;
  return *instance;
}

}  // namespace

int task_count(std::int32_t threads, std::int64_t items, std::int64_t cost) {
  std::int64_t count = threads;
  if (count <= 0) count = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  if (count > kMaxThreads) count = kMaxThreads;
  if (count > items) count = items;
  const std::int64_t useful = (items * cost) / kGrain;
  if (count > useful) count = useful;
  return count < 1 ? 1 : static_cast<int>(count);
}

us_status run_tasks(int tasks, std::int64_t items, TaskFunction function, void* context) {
  if (tasks == 1) return function(context, {0, 0, items});
  const auto job = std::make_shared<Job>();
  job->tasks = tasks;
  job->items = items;
  job->function = function;
  job->context = context;
  pool().offer(job, tasks - 1);
  job->work();
  std::unique_lock<std::mutex> lock(job->mutex);
  job->done.wait(lock, [&] { return job->finished == job->tasks; });
  if (job->status != US_OK) set_error_message(job->message);
  return job->status;
}

}  // namespace us
