#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <napi.h>

#include "unitscope/unitscope.h"

namespace us::node {

class Arguments;
class Job;

/// Memory of a back end that outlives a call: the elements of a DeviceBuffer. The JavaScript handle owns it together
/// with the jobs that use it, so what is freed under a running job lives until the job is done.
class DeviceMemory {
 public:
  static us_status allocate(us_backend backend, napi_typedarray_type type, std::int64_t count,
                            std::shared_ptr<DeviceMemory>& to);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  us_backend backend() const { return backend_; }
  napi_typedarray_type type() const { return type_; }
  std::int64_t count() const { return count_; }
  std::size_t bytes() const { return bytes_; }
  void* data() const { return data_; }

 private:
  DeviceMemory(us_backend backend, napi_typedarray_type type, std::int64_t count, std::size_t bytes)
      : backend_(backend), type_(type), count_(count), bytes_(bytes) {}

  us_backend backend_;
  napi_typedarray_type type_;
  std::int64_t count_;
  std::size_t bytes_;
  void* data_ = nullptr;
};

/// What a JavaScript handle stands for: memory, or nothing once it has been freed.
struct DeviceHandle {
  std::shared_ptr<DeviceMemory> memory;
};

/// The handle of a DeviceBuffer, which is an object whose property `handle` is one; NULL for any other value.
DeviceHandle* handle_of(const Napi::Value& value);

/// ({ backend, type: "Float32Array", count }) -> handle. The memory's content is left open.
Napi::Value allocate_memory(const Napi::CallbackInfo& info);

/// ({ memory: DeviceBuffer }): jobs that run keep the memory; freeing it again does nothing.
Napi::Value free_memory(const Napi::CallbackInfo& info);

/// { memory: DeviceBuffer, array: typed array of its type and length }: copies the one into the other.
std::unique_ptr<Job> bind_upload(Arguments& from);
std::unique_ptr<Job> bind_download(Arguments& from);

}  // namespace us::node
