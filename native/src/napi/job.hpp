#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <napi.h>

#include "napi/device_memory.hpp"
#include "unitscope/unitscope.h"

namespace us::node {

/// The memory of a typed array or of a DeviceBuffer for the time of one call.
class Buffer {
 public:
  Buffer(void* host, std::size_t bytes, bool written) : host_(host), memory_(host), bytes_(bytes), written_(written) {}
  Buffer(std::shared_ptr<DeviceMemory> resident, bool written)
      : resident_(std::move(resident)),
        host_(resident_->backend() == US_BACKEND_CPU ? resident_->data() : nullptr),
        memory_(resident_->data()),
        bytes_(resident_->bytes()),
        written_(written) {}

  /// Where the kernel finds it: the array itself, its copy on the device, or memory that was there before.
  template <typename T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

  /// The values before the call, to be checked where the back end does not; NULL if they lie in a device's memory.
  template <typename T>
  const T* on_host() const {
    return static_cast<const T*>(host_);
  }

  /// The memory of the DeviceBuffer; NULL for a typed array.
  const DeviceMemory* resident() const { return resident_.get(); }

 private:
  friend class Job;
  friend class Arguments;
  std::shared_ptr<DeviceMemory> resident_;
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

  /// Runs the kernel, on a device with the typed arrays copied there and back. When it returns nothing is queued any
  /// more, so an error is that of the call that made it, and calls of several threads are ordered as they are awaited.
  us_status execute() noexcept;

 protected:
  virtual us_status run(const us_execution& execution) = 0;

 private:
  friend class Arguments;
  us_status run_guarded() noexcept;
  us_status stage();
  us_status collect();
  void release() noexcept;
  bool is_staged(const Buffer& buffer) const;

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
