#include "napi/device_memory.hpp"

#include <new>
#include <utility>

#include "core/error.hpp"
#include "napi/arguments.hpp"

namespace us::node {
namespace {

// Marks the handles of this addon, so that no other external value is taken for one.
constexpr napi_type_tag kHandleTag = {0x6b1f0c53a9d84e27, 0x9c35e8d1f4720ab6};

/// V8 collects in time what it knows to be large. A device's memory is not the heap's to count.
void report_to_v8(Napi::Env env, const DeviceMemory& memory, std::int64_t sign) {
  if (memory.backend() != US_BACKEND_CPU) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, sign * static_cast<std::int64_t>(memory.bytes()));
}

void release(Napi::Env env, DeviceHandle& handle) {
  if (handle.memory == nullptr) return;
  report_to_v8(env, *handle.memory, -1);
  handle.memory.reset();
}

/// A copy between a DeviceBuffer and a typed array.
struct Transfer final : Job {
  Transfer(Arguments& from, us_copy way)
      : direction(way),
        memory(from.resident("memory", way == US_COPY_TO_DEVICE)),
        bytes(memory.resident()->bytes()),
        array(from.host_array("array", memory.resident()->type(), memory.resident()->count())) {}

  us_status run(const us_execution& execution) override {
    void* const on_device = memory.as<void>();
    const bool up = direction == US_COPY_TO_DEVICE;
    return us_memory_copy(&execution, direction, up ? on_device : array, up ? array : on_device, bytes);
  }

  us_copy direction;
  Buffer& memory;
  std::size_t bytes;
  void* array;
};

}  // namespace

us_status DeviceMemory::allocate(us_backend backend, napi_typedarray_type type, std::int64_t count,
                                 std::shared_ptr<DeviceMemory>& to) {
  const std::size_t bytes = static_cast<std::size_t>(count) * size_of(type);
  std::shared_ptr<DeviceMemory> made(new (std::nothrow) DeviceMemory(backend, type, count, bytes));
  if (made == nullptr) return fail(US_OUT_OF_MEMORY, "out of memory");
  const us_status status = us_memory_allocate(backend, bytes, &made->data_);
  if (status == US_OK) to = std::move(made);
  return status;
}

DeviceMemory::~DeviceMemory() {
  if (data_ != nullptr) us_memory_free(backend_, data_);
}

DeviceHandle* handle_of(const Napi::Value& value) {
  if (!value.IsObject()) return nullptr;
  const Napi::Value handle = value.As<Napi::Object>().Get("handle");
  if (!handle.IsExternal()) return nullptr;
  const auto external = handle.As<Napi::External<DeviceHandle>>();
  return external.CheckTypeTag(&kHandleTag) ? external.Data() : nullptr;
}

Napi::Value allocate_memory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Arguments from(info);
  const auto backend = static_cast<us_backend>(from.integer("backend", 0, US_BACKEND_COUNT - 1));
  const napi_typedarray_type type = from.element_type("type");
  const std::int64_t count = from.integer("count", 0, kMaxSafeInteger);
  auto handle = std::make_unique<DeviceHandle>();
  const us_status status = DeviceMemory::allocate(backend, type, count, handle->memory);
  if (status != US_OK) throw make_error(env, status, us_last_error_message());
  auto external = Napi::External<DeviceHandle>::New(env, handle.get(), [](Napi::Env of, DeviceHandle* collected) {
    release(of, *collected);
    delete collected;
  });
  const DeviceHandle& owned = *handle.release();
  external.TypeTag(&kHandleTag);
  report_to_v8(env, *owned.memory, 1);
  return external;
}

Napi::Value free_memory(const Napi::CallbackInfo& info) {
  const Arguments from(info);
  release(info.Env(), from.handle("memory"));
  return info.Env().Undefined();
}

std::unique_ptr<Job> bind_upload(Arguments& from) { return std::make_unique<Transfer>(from, US_COPY_TO_DEVICE); }

std::unique_ptr<Job> bind_download(Arguments& from) { return std::make_unique<Transfer>(from, US_COPY_TO_HOST); }

}  // namespace us::node
