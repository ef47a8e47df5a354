#include "napi/arguments.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace us::node {
namespace {

constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();

const char* name_of(napi_typedarray_type type) {
  static constexpr const char* kNames[] = {"Int8Array",   "Uint8Array",   "Uint8ClampedArray", "Int16Array",
                                           "Uint16Array", "Int32Array",   "Uint32Array",       "Float32Array",
                                           "Float64Array", "BigInt64Array", "BigUint64Array"};
  const auto index = static_cast<std::size_t>(type);
  return index < sizeof kNames / sizeof *kNames ? kNames[index] : "typed array of another kind";
}

bool is_true(const Napi::Value& value) { return value.IsBoolean() && value.As<Napi::Boolean>().Value(); }

}  // namespace

Elements elements_of(const std::string& name, const Napi::TypedArray& array) {
  const Napi::Env env = array.Env();
  Elements elements{napi_float32_array, nullptr, 0};
  napi_value memory = nullptr;
  std::size_t offset = 0;
  if (napi_get_typedarray_info(env, array, &elements.type, &elements.count, &elements.data, &memory, &offset) !=
      napi_ok) {
    throw make_error(env, US_INVALID_ARGUMENT, name + " cannot be read");
  }
  bool detached = false;
  napi_is_detached_arraybuffer(env, memory, &detached);
  if (detached) {
    throw make_error(env, US_INVALID_ARGUMENT, "the memory of " + name + " has been transferred away");
  }
  // Such memory can vanish while a thread works on it.
  if (is_true(Napi::Object(env, memory).Get("resizable"))) {
    throw make_error(env, US_INVALID_ARGUMENT, name + " lies in a resizable ArrayBuffer; copy it to a plain one");
  }
  return elements;
}

std::size_t size_of(napi_typedarray_type type) {
  if (type == napi_float64_array || type == napi_bigint64_array) return sizeof(double);
  if (type == napi_float32_array) return sizeof(float);
  if (type == napi_int32_array) return sizeof(std::int32_t);
  return 1;
}

Arguments::Arguments(const Napi::CallbackInfo& info) : env_(info.Env()) {
  if (info.Length() != 1 || !info[0].IsObject()) reject("one object of arguments is expected");
  object_ = info[0].As<Napi::Object>();
}

void Arguments::reject(const std::string& message) const { throw make_error(env_, US_INVALID_ARGUMENT, message); }

std::int64_t Arguments::integer_of(const Napi::Value& value, const char* name, std::int64_t low, std::int64_t high) const {
  if (!value.IsNumber()) reject(std::string(name) + " must be a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (std::floor(number) != number || number < static_cast<double>(low) || number > static_cast<double>(high)) {
    reject(std::string(name) + " must be an integer from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return static_cast<std::int64_t>(number);
}

std::int64_t Arguments::integer(const char* name, std::int64_t low, std::int64_t high) const {
  return integer_of(object_.Get(name), name, low, high);
}

double Arguments::number(const char* name) const {
  const Napi::Value value = object_.Get(name);
  if (!value.IsNumber()) reject(std::string(name) + " must be a number");
  return value.As<Napi::Number>().DoubleValue();
}

void Arguments::pair(const Napi::Object& from, const char* name, std::int32_t (&to)[2]) const {
  const Napi::Value value = from.Get(name);
  if (!value.IsArray() || value.As<Napi::Array>().Length() != 2) reject(std::string(name) + " must be an array of two numbers");
  const auto both = value.As<Napi::Object>();
  for (std::uint32_t axis = 0; axis < 2; ++axis) {
    to[axis] = static_cast<std::int32_t>(integer_of(both.Get(axis), name, 0, kMaxInt32));
  }
}

us_pool2d_params Arguments::pool2d() const {
  const Napi::Value value = object_.Get("params");
  if (!value.IsObject()) reject("params must be an object");
  const auto from = value.As<Napi::Object>();
  const auto size = [&](const char* name) {
    return static_cast<std::int32_t>(integer_of(from.Get(name), name, 0, kMaxInt32));
  };
  us_pool2d_params params{};
  params.planes = integer_of(from.Get("planes"), "planes", 0, kMaxSafeInteger);
  params.height = size("height");
  params.width = size("width");
  params.out_height = size("outHeight");
  params.out_width = size("outWidth");
  pair(from, "kernel", params.kernel);
  pair(from, "stride", params.stride);
  pair(from, "padBegin", params.pad_begin);
  pair(from, "padEnd", params.pad_end);
  pair(from, "dilation", params.dilation);
  return params;
}

us_mask_params Arguments::mask() const {
  us_mask_params params{};
  params.batch = integer("batch", 0, kMaxSafeInteger);
  params.channels = integer("channels", 0, kMaxSafeInteger);
  params.size = static_cast<std::int32_t>(integer("size", 0, kMaxInt32));
  params.height = static_cast<float>(number("height"));
  return params;
}

us_mi_params Arguments::mutual_information() const {
  us_mi_params params{};
  params.batch = integer("batch", 0, kMaxSafeInteger);
  params.channels = integer("channels", 0, kMaxSafeInteger);
  params.size = static_cast<std::int32_t>(integer("size", 0, kMaxInt32));
  params.tau = number("tau");
  params.beta = number("beta");
  params.alpha = number("alpha");
  return params;
}

us_maps_params Arguments::maps() const {
  us_maps_params params{};
  params.maps = integer("maps", 0, kMaxSafeInteger);
  params.height = static_cast<std::int32_t>(integer("height", 0, kMaxInt32));
  params.width = static_cast<std::int32_t>(integer("width", 0, kMaxInt32));
  return params;
}

std::int64_t Arguments::count(std::initializer_list<std::int64_t> sizes) const {
  std::int64_t product = 1;
  for (const std::int64_t size : sizes) {
    if (__builtin_mul_overflow(product, size, &product) || product > kMaxSafeInteger) {
      reject("the sizes describe more elements than can be counted");
    }
  }
  return product;
}

napi_typedarray_type Arguments::element_type(const char* name) const {
  const Napi::Value value = object_.Get(name);
  const std::string wanted = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  for (const napi_typedarray_type type :
       {napi_uint8_array, napi_int32_array, napi_float32_array, napi_float64_array, napi_bigint64_array}) {
    if (wanted == name_of(type)) return type;
  }
  reject(std::string(name) + " must be Uint8Array, Int32Array, Float32Array, Float64Array or BigInt64Array");
}

DeviceHandle& Arguments::handle(const char* name) const {
  DeviceHandle* const handle = handle_of(object_.Get(name));
  if (handle == nullptr) reject(std::string(name) + " must be a DeviceBuffer");
  return *handle;
}

const std::shared_ptr<DeviceMemory>& Arguments::memory_of(const char* name, const DeviceHandle& handle) const {
  if (handle.memory == nullptr) reject(std::string(name) + " is a DeviceBuffer that has been freed");
  return handle.memory;
}

Buffer& Arguments::resident(const char* name, bool written) {
  return buffers_.emplace_back(memory_of(name, handle(name)), written);
}

Buffer& Arguments::array(const char* name, napi_typedarray_type type, std::int64_t count, bool written) {
  const DeviceHandle* const handle = handle_of(object_.Get(name));
  if (handle == nullptr) {
    void* const data = host_array(name, type, count);
    return buffers_.emplace_back(data, static_cast<std::size_t>(count) * size_of(type), written);
  }
  const std::shared_ptr<DeviceMemory>& memory = memory_of(name, *handle);
  if (memory->type() != type) {
    reject(std::string(name) + " must be a DeviceBuffer of " + name_of(type) + ", it is one of " +
           name_of(memory->type()));
  }
  require_count(name, count, memory->count());
  return buffers_.emplace_back(memory, written);
}

void* Arguments::host_array(const char* name, napi_typedarray_type type, std::int64_t count) {
  const Napi::Value value = object_.Get(name);
  if (!value.IsTypedArray()) reject(std::string(name) + " must be a " + name_of(type) + " or a DeviceBuffer of one");
  const auto typed = value.As<Napi::TypedArray>();
  if (typed.TypedArrayType() != type) {
    reject(std::string(name) + " must be a " + name_of(type) + ", it is a " + name_of(typed.TypedArrayType()));
  }
  const Elements elements = elements_of(name, typed);
  require_count(name, count, static_cast<std::int64_t>(elements.count));
  arrays_.push_back(Napi::Persistent(typed.As<Napi::Object>()));
  return elements.data;
}

void Arguments::require_count(const char* name, std::int64_t wanted, std::int64_t found) const {
  if (found == wanted) return;
  reject(std::string(name) + " must have " + std::to_string(wanted) + " elements, it has " + std::to_string(found));
}

void Arguments::give_to(Job& job) {
  job.execution_.backend = static_cast<us_backend>(integer("backend", 0, US_BACKEND_COUNT - 1));
  job.execution_.threads = static_cast<std::int32_t>(integer("threads", 0, kMaxInt32));
  for (const Buffer& buffer : buffers_) {
    if (buffer.resident_ == nullptr || buffer.resident_->backend() == job.execution_.backend) continue;
    reject(std::string("memory of the back end ") + us_backend_name(buffer.resident_->backend()) +
           " cannot be used on " + us_backend_name(job.execution_.backend));
  }
  // Splicing keeps the addresses that the job's buffers are known by.
  job.buffers_.splice(job.buffers_.end(), buffers_);
  job.arrays_ = std::move(arrays_);
}

}  // namespace us::node
