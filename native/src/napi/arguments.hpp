#pragma once

#include <cstdint>
#include <initializer_list>

#include <napi.h>

#include "napi/job.hpp"

namespace us::node {

/// The largest integer that every JavaScript number up to it can tell from its neighbours.
constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53) - 1;

/// Bytes of an element; the types are those that type_of() and element_type() give.
std::size_t size_of(napi_typedarray_type type);

struct Elements {
  napi_typedarray_type type;
  void* data;
  std::size_t count;
};

/// Where a typed array's elements lie; an error that names it if its memory is gone or could go while a thread uses it.
Elements elements_of(const std::string& name, const Napi::TypedArray& array);

/// The one object every function of the addon takes. A kernel's binding reads it like a declaration:
///   params(from.pool2d()), x(from.input<float>("x", cells))
/// Whatever is missing or wrong is thrown as an error that names the property, before anything runs.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info);

  std::int64_t integer(const char* name, std::int64_t low, std::int64_t high) const;
  us_pool2d_params pool2d() const;
  double number(const char* name) const;
  us_mask_params mask() const;
  us_mi_params mutual_information() const;
  us_maps_params maps() const;

  /// A typed array or a DeviceBuffer of exactly `count` elements; its memory and a reference to it go to the job.
  template <typename T>
  Buffer& input(const char* name, std::int64_t count) {
    return array(name, type_of(static_cast<T*>(nullptr)), count, false);
  }
  template <typename T>
  Buffer& output(const char* name, std::int64_t count) {
    return array(name, type_of(static_cast<T*>(nullptr)), count, true);
  }

  /// As an output, but what it holds is read first: counts that are added to, a state that is carried on.
  template <typename T>
  Buffer& updated(const char* name, std::int64_t count) {
    Buffer& buffer = output<T>(name, count);
    buffer.read_ = true;
    return buffer;
  }

  /// A DeviceBuffer of any type and length.
  Buffer& resident(const char* name, bool written);

  /// The handle of a DeviceBuffer, which may have been freed.
  DeviceHandle& handle(const char* name) const;

  /// The elements of a typed array, which stays where it is whatever the back end.
  void* host_array(const char* name, napi_typedarray_type type, std::int64_t count);

  /// A type that kernels take, by the name of its typed array.
  napi_typedarray_type element_type(const char* name) const;

  /// The product of sizes; an error if it cannot be counted in a JavaScript number.
  std::int64_t count(std::initializer_list<std::int64_t> sizes) const;

  /// Hands what was read (`backend`, `threads`, arrays) to the job. DeviceBuffers must be of that back end.
  void give_to(Job& job);

 private:
  static napi_typedarray_type type_of(const float* /*tag*/) { return napi_float32_array; }
  static napi_typedarray_type type_of(const std::uint8_t* /*tag*/) { return napi_uint8_array; }
  static napi_typedarray_type type_of(const std::int32_t* /*tag*/) { return napi_int32_array; }
  static napi_typedarray_type type_of(const double* /*tag*/) { return napi_float64_array; }
  static napi_typedarray_type type_of(const std::int64_t* /*tag*/) { return napi_bigint64_array; }

  Buffer& array(const char* name, napi_typedarray_type type, std::int64_t count, bool written);
  const std::shared_ptr<DeviceMemory>& memory_of(const char* name, const DeviceHandle& handle) const;
  void require_count(const char* name, std::int64_t wanted, std::int64_t found) const;
  std::int64_t integer_of(const Napi::Value& value, const char* name, std::int64_t low, std::int64_t high) const;
  void pair(const Napi::Object& from, const char* name, std::int32_t (&to)[2]) const;
  [[noreturn]] void reject(const std::string& message) const;

  Napi::Env env_;
  Napi::Object object_;
  std::list<Buffer> buffers_;
  std::vector<Napi::ObjectReference> arrays_;
};

}  // namespace us::node
