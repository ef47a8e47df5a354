#include "napi/job.hpp"

#include <exception>
#include <utility>

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
  if (status == US_OK) status = run(execution_);
  if (status == US_OK) status = collect();
  release();
  return status;
}

us_status Job::stage() {
  if (execution_.backend == US_BACKEND_CPU) return US_OK;
  for (Buffer& buffer : buffers_) {
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
  if (execution_.backend == US_BACKEND_CPU) return US_OK;
  for (const Buffer& buffer : buffers_) {
    if (!buffer.written_) continue;
    const us_status status = us_memory_copy(&execution_, US_COPY_TO_HOST, buffer.host_, buffer.memory_, buffer.bytes_);
    if (status != US_OK) return status;
  }
  return us_synchronize(&execution_);
}

void Job::release() noexcept {
  if (execution_.backend == US_BACKEND_CPU) return;
  for (Buffer& buffer : buffers_) {
    // After a failed stage() the later buffers still point at the arrays.
    if (buffer.memory_ != buffer.host_ && buffer.memory_ != nullptr) us_memory_free(execution_.backend, buffer.memory_);
    buffer.memory_ = buffer.host_;
  }
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
