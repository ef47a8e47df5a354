#include "napi/job.hpp"

#include <exception>
#include <new>
#include <utility>

#include "core/error.hpp"

namespace us::node {
namespace {

class JobWorker final : public Napi::AsyncWorker {
 public:
  JobWorker(Napi::Env env, std::unique_ptr<Job> job)
      : Napi::AsyncWorker(env, "unitscope"), deferred_(Napi::Promise::Deferred::New(env)), job_(std::move(job)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    status_ = job_->execute();
    if (status_ != US_OK) SetError(us_last_error_message());
  }

  void OnOK() override {
    job_.reset();
    deferred_.Resolve(Env().Undefined());
  }

  void OnError(const Napi::Error& error) override {
    job_.reset();
    // Execute may also have thrown, in which case there is no status yet.
    const us_status status = status_ == US_OK ? US_INTERNAL : status_;
    deferred_.Reject(make_error(Env(), status, error.Message()).Value());
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::unique_ptr<Job> job_;
  us_status status_ = US_OK;
};

}  // namespace

us_status Job::execute() noexcept {
  us_status status = stage();
  if (status == US_OK) status = run_guarded();
  if (status == US_OK) status = collect();
  // After a failure too, since what was queued before it may still use the buffers.
  const us_status settled = us_synchronize(&execution_);
  release();
  return settled == US_OK ? status : settled;
}

us_status Job::run_guarded() noexcept {
  try {
    return run(execution_);
  } catch (const std::bad_alloc&) {
    return fail(US_OUT_OF_MEMORY, "out of memory");
  }
}

us_status Job::stage() {
  for (Buffer& buffer : buffers_) {
    if (!is_staged(buffer)) continue;
    buffer.memory_ = nullptr;
    us_status status = us_memory_allocate(execution_.backend, buffer.bytes_, &buffer.memory_);
    if (status == US_OK && buffer.read_) {
      status = us_memory_copy(&execution_, US_COPY_TO_DEVICE, buffer.memory_, buffer.host_, buffer.bytes_);
    }
    if (status != US_OK) return status;
  }
  return US_OK;
}

us_status Job::collect() {
  for (const Buffer& buffer : buffers_) {
    if (!is_staged(buffer) || !buffer.written_) continue;
    const us_status status = us_memory_copy(&execution_, US_COPY_TO_HOST, buffer.host_, buffer.memory_, buffer.bytes_);
    if (status != US_OK) return status;
  }
  return US_OK;
}

void Job::release() noexcept {
  for (Buffer& buffer : buffers_) {
    if (!is_staged(buffer)) continue;
    // After a failed stage() the later buffers still point at the arrays.
    if (buffer.memory_ != buffer.host_ && buffer.memory_ != nullptr) us_memory_free(execution_.backend, buffer.memory_);
    buffer.memory_ = buffer.host_;
  }
}

bool Job::is_staged(const Buffer& buffer) const {
  return execution_.backend != US_BACKEND_CPU && buffer.resident_ == nullptr && buffer.bytes_ > 0;
}

Napi::Error make_error(Napi::Env env, us_status status, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, us_status_name(status)));
  return error;
}

Napi::Value run_now(Napi::Env env, Job& job) {
  const us_status status = job.execute();
  if (status != US_OK) throw make_error(env, status, us_last_error_message());
  return env.Undefined();
}

Napi::Value run_later(Napi::Env env, std::unique_ptr<Job> job) {
  // The worker deletes itself when it is done.
  auto* const worker = new JobWorker(env, std::move(job));
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace us::node
