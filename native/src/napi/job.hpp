#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include <napi.h>

#include "unitscope/unitscope.h"

namespace us::node {

/// The memory of a typed array for the time of one call.
class Buffer {
 public:
  Buffer(void* host, std::size_t bytes, bool written) : host_(host), memory_(host), bytes_(bytes), written_(written) {}

  /// Where the kernel finds it: the array itself, or its copy on the device.
  template <typename T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  friend class Job;
  friend class Arguments;
  void* host_;
  void* memory_;
  std::size_t bytes_;
  bool written_;
  bool read_ = !written_;
};

/// One call of one kernel. It is made on the JavaScript thread, which checks the arguments, and runs on any thread without
/// touching JavaScript.
class Job {
 public:
  Job() = default;
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  /// Runs the kernel, on a device with the arrays copied there and back.
  us_status execute() noexcept;

 protected:
  virtual us_status run(const us_execution& execution) = 0;

 private:
  friend class Arguments;
  us_status stage();
  us_status collect();
  void release() noexcept;

  us_execution execution_{US_BACKEND_CPU, 0, nullptr};
  std::list<Buffer> buffers_;
  // A typed array lives while something refers to it, and the job must not outlive its memory.
  std::vector<Napi::ObjectReference> arrays_;
};

/// A JavaScript error that carries the status as its `code`.
Napi::Error make_error(Napi::Env env, us_status status, const std::string& message);

/// Runs the job here and now; throws what went wrong.
Napi::Value run_now(Napi::Env env, Job& job);

/// Runs the job on libuv's thread pool; the answer is a promise of undefined.
Napi::Value run_later(Napi::Env env, std::unique_ptr<Job> job);

}  // namespace us::node
