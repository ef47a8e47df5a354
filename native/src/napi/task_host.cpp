#include "napi/task_host.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <new>
#include <utility>

namespace us::node {
namespace {

void require(Napi::Env env, napi_status status) {
  if (status != napi_ok) throw Napi::Error::New(env, "Node refuses a function for results from other threads");
}

/// Those of all JavaScript threads that have not ended.
struct Hosts {
  std::mutex mutex;
  std::vector<TaskHost*> list;
};

// Never destroyed: it is wanted when the process ends.
Hosts& hosts() {
  static auto& known = *new Hosts;
  return known;
}

}  // namespace

void Task::execute() noexcept {
  try {
    work();
  } catch (const ort::Failure& failure) {
    failure_ = failure;
  } catch (const std::bad_alloc&) {
    failure_.emplace("out of memory");
  } catch (const std::exception& unforeseen) {
    failure_.emplace(unforeseen.what());
  }
}

void Task::settle(Napi::Env env) {
  try {
    if (!failure_) {
      deferred_.Resolve(result(env));
      return;
    }
    Napi::Error error = Napi::Error::New(env, failure_->what());
    error.Set("status", Napi::Number::New(env, failure_->code()));
    deferred_.Reject(error.Value());
  } catch (const Napi::Error& error) {
    // There was no memory for the result, or the thread is being terminated and takes no answer.
    if (!env.IsExceptionPending()) deferred_.Reject(error.Value());
  }
}

TaskHost& TaskHost::of(Napi::Env env) {
  auto* host = env.GetInstanceData<TaskHost>();
  if (host == nullptr) {
    auto made = std::make_unique<TaskHost>(env);
    host = made.get();
    env.SetInstanceData(made.release());
  }
  return *host;
}

TaskHost::TaskHost(Napi::Env env) : env_(env) {
  const Napi::String name = Napi::String::New(env, "unitscope");
  require(env, napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, deliver,
                                               &wake_));
  require(env, napi_unref_threadsafe_function(env, wake_));
  // Hooks are called last first, so the function above is still there when ours is.
  require(env, napi_add_env_cleanup_hook(env, shut_down, this));
  Hosts& known = hosts();
  const std::lock_guard lock(known.mutex);
  known.list.push_back(this);
}

Napi::Promise TaskHost::submit(ort::WorkQueue& queue, const std::shared_ptr<Task>& task) {
  const Napi::Promise promise = task->promise();
  if (tasks_.empty()) require(env_, napi_ref_threadsafe_function(env_, wake_));
  Task* const pointer = task.get();
  tasks_.emplace(pointer, task);
  {
    const std::lock_guard lock(mutex_);
    ++in_queues_;
  }
  try {
    queue.post(this, [this, pointer] {
      pointer->execute();
      finished(pointer);
    });
  } catch (const std::exception& cause) {
    const std::lock_guard lock(mutex_);
    --in_queues_;
    forget(pointer);
    throw Napi::Error::New(env_, cause.what());
  }
  return promise;
}

void TaskHost::finished(Task* task) {
  const std::lock_guard lock(mutex_);
  finished_.push_back(task);
  --in_queues_;
  // Under the lock: once the thread has begun to end, its function is not to be called.
  if (ending_) {
    rested_.notify_all();
  } else {
    napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
  }
}

/// Node calls it once more without an environment for what is left when the thread ends; the host is gone by then.
void TaskHost::deliver(napi_env env, napi_value /*function*/, void* context, void* /*data*/) {
  if (env != nullptr) static_cast<TaskHost*>(context)->settle_finished();
}

void TaskHost::settle_finished() {
  std::vector<Task*> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  const Napi::HandleScope scope(env_);
  for (Task* const task : finished) {
    try {
      task->settle(env_);
    } catch (const Napi::Error&) {
      // The thread is being terminated: there is nobody to tell.
      continue;
    }
  }
  for (Task* const task : finished) forget(task);
}

void TaskHost::forget(Task* task) {
  tasks_.erase(task);
  if (tasks_.empty()) napi_unref_threadsafe_function(env_, wake_);
}

void TaskHost::shut_down(void* self) { static_cast<TaskHost*>(self)->shut_down(); }

void TaskHost::shut_down() {
  end_tasks();
  tasks_.clear();
  Hosts& known = hosts();
  const std::lock_guard lock(known.mutex);
  known.list.erase(std::remove(known.list.begin(), known.list.end(), this), known.list.end());
}

void TaskHost::end_tasks_before_exit() {
  std::atexit([] {
    Hosts& known = hosts();
    const std::lock_guard lock(known.mutex);
    for (TaskHost* const host : known.list) host->end_tasks();
  });
}

void TaskHost::end_tasks() {
  std::size_t waiting = 0;
  for (ort::WorkQueue* const queue : {&ort::WorkQueue::runs(), &ort::WorkQueue::loads()}) {
    waiting += queue->discard(this);
  }
  for (const auto& [task, owner] : tasks_) task->cancel();
  std::unique_lock lock(mutex_);
  ending_ = true;
  in_queues_ -= waiting;
  rested_.wait(lock, [this] { return in_queues_ == 0; });
}

}  // namespace us::node
