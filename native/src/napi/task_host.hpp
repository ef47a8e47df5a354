#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include <napi.h>

#include "ort/failure.hpp"
#include "ort/work_queue.hpp"

namespace us::node {

/// Work off the event loop that settles a promise. Made, settled and destroyed on the JavaScript thread.
class Task {
 public:
  explicit Task(Napi::Env env) : deferred_(Napi::Promise::Deferred::New(env)) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  Napi::Promise promise() const { return deferred_.Promise(); }

  /// From any thread, at any time: nobody waits for the result any more.
  virtual void cancel() noexcept {}

 protected:
  /// On a thread of the queue, without touching JavaScript; throws ort::Failure.
  virtual void work() = 0;
  /// What the promise is resolved with.
  virtual Napi::Value result(Napi::Env env) = 0;

 private:
  friend class TaskHost;
  void execute() noexcept;
  void settle(Napi::Env env);

  Napi::Promise::Deferred deferred_;
  std::optional<ort::Failure> failure_;
};

/// The tasks of one JavaScript thread. The event loop stays alive while there are any. A thread that ends, terminated
/// from outside or not, waits until none of its tasks runs any more: they hold memory that ends with it.
class TaskHost {
 public:
  /// The one of this JavaScript thread.
  static TaskHost& of(Napi::Env env);

  explicit TaskHost(Napi::Env env);
  ~TaskHost() = default;
  TaskHost(const TaskHost&) = delete;
  TaskHost& operator=(const TaskHost&) = delete;

  Napi::Promise submit(ort::WorkQueue& queue, const std::shared_ptr<Task>& task);

  /// To be called whenever a library has been opened that tasks work in. Node ends a process that calls process.exit()
  /// without the hooks of its main thread; the library's static objects then go while a task still works with them,
  /// unless what is registered here comes before.
  static void end_tasks_before_exit();

 private:
  static void deliver(napi_env env, napi_value function, void* context, void* data);
  static void shut_down(void* self);

  void finished(Task* task);
  void settle_finished();
  void shut_down();
  void end_tasks();
  void forget(Task* task);

  Napi::Env env_;
  napi_threadsafe_function wake_ = nullptr;
  // Of the JavaScript thread.
  std::unordered_map<Task*, std::shared_ptr<Task>> tasks_;

  std::mutex mutex_;
  std::condition_variable rested_;
  std::vector<Task*> finished_;
  std::size_t in_queues_ = 0;
  bool ending_ = false;
};

}  // namespace us::node
