#include "napi/runtime_tensors.hpp"

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "napi/arguments.hpp"
#include "ort/elements.hpp"

namespace us::node {
namespace {

[[noreturn]] void reject(Napi::Env env, const std::string& message) {
  throw make_error(env, US_INVALID_ARGUMENT, message);
}

/// Whether an array's elements can be the tensor's; booleans and half floats have no arrays of their own.
bool holds(napi_typedarray_type array, ort::ElementType type) {
  switch (type) {
    case ort::kFloat: return array == napi_float32_array;
    case ort::kDouble: return array == napi_float64_array;
    case ort::kInt8: return array == napi_int8_array;
    case ort::kUint8:
    case ort::kBool: return array == napi_uint8_array;
    case ort::kInt16: return array == napi_int16_array;
    case ort::kUint16:
    case ort::kFloat16:
    case ort::kBfloat16: return array == napi_uint16_array;
    case ort::kInt32: return array == napi_int32_array;
    case ort::kUint32: return array == napi_uint32_array;
    case ort::kInt64: return array == napi_bigint64_array;
    case ort::kUint64: return array == napi_biguint64_array;
    default: return false;
  }
}

napi_typedarray_type array_of(ort::ElementType type) {
  for (int candidate = napi_int8_array; candidate <= napi_biguint64_array; ++candidate) {
    const auto array = static_cast<napi_typedarray_type>(candidate);
    if (holds(array, type)) return array;
  }
  return napi_uint8_array;
}

void return_to_pool(napi_env /*env*/, void* /*data*/, void* owner) { delete static_cast<ort::Buffer*>(owner); }

Napi::Value to_tensor(Napi::Env env, ort::Result& result) {
  const Napi::Value memory = lend(env, std::move(result.buffer), result.bytes);
  const ort::ResultShape& shape = result.shape;
  napi_value data = nullptr;
  const std::size_t count = result.bytes / ort::size_of(shape.type);
  if (napi_create_typedarray(env, array_of(shape.type), count, memory, 0, &data) != napi_ok) {
    throw Napi::Error::New(env, "there is no memory for an array over a result");
  }
  Napi::Array dims = Napi::Array::New(env, shape.dims.size());
  for (std::size_t i = 0; i < shape.dims.size(); ++i) {
    dims.Set(static_cast<std::uint32_t>(i), static_cast<double>(shape.dims[i]));
  }
  Napi::Object tensor = Napi::Object::New(env);
  tensor.Set("dims", dims);
  tensor.Set("data", data);
  return tensor;
}

}  // namespace

Napi::Value lend(Napi::Env env, ort::Buffer buffer, std::size_t bytes) {
  if (bytes == 0) return Napi::ArrayBuffer::New(env, 0);
  auto owned = std::make_unique<ort::Buffer>(std::move(buffer));
  napi_value memory = nullptr;
  if (napi_create_external_arraybuffer(env, owned->data(), bytes, return_to_pool, owned.get(), &memory) != napi_ok) {
    throw Napi::Error::New(env, "there is no memory for an array over a result");
  }
  static_cast<void>(owned.release());
  return {env, memory};
}

std::int64_t read_integer(const Napi::Value& value, const char* name, std::int64_t low, std::int64_t high) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (std::floor(number) == number && number >= static_cast<double>(low) && number <= static_cast<double>(high)) {
    return static_cast<std::int64_t>(number);
  }
  reject(value.Env(),
         std::string(name) + " must be an integer from " + std::to_string(low) + " to " + std::to_string(high));
}

std::vector<std::int64_t> read_integers(const Napi::Value& value, const char* name, std::int64_t high) {
  if (!value.IsArray()) reject(value.Env(), std::string(name) + " must be an array of integers");
  const auto array = value.As<Napi::Array>();
  std::vector<std::int64_t> numbers;
  for (std::uint32_t i = 0; i < array.Length(); ++i) numbers.push_back(read_integer(array.Get(i), name, 0, high));
  return numbers;
}

Feeds read_feeds(const Napi::Value& from, const ort::LoadedSession& session) {
  const Napi::Env env = from.Env();
  if (!from.IsArray()) reject(env, "feeds must be an array");
  const auto list = from.As<Napi::Array>();
  Feeds read;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value each = list.Get(i);
    if (!each.IsObject()) reject(env, "feeds must be objects");
    const auto feed = each.As<Napi::Object>();
    const auto last = static_cast<std::int64_t>(session.inputs().size()) - 1;
    const auto index = static_cast<std::size_t>(read_integer(feed.Get("input"), "input", 0, last));
    const ort::LoadedSession::Input& input = session.inputs()[index];
    const Napi::Value data = feed.Get("data");
    if (!data.IsTypedArray()) reject(env, "the data for \"" + input.name + "\" must be a typed array");
    const auto array = data.As<Napi::TypedArray>();
    const Elements elements = elements_of("the data for \"" + input.name + "\"", array);
    if (!holds(elements.type, input.type)) {
      reject(env, "\"" + input.name + "\" is of type " + ort::name_of(input.type) + ", the array given is of another");
    }
    const std::size_t bytes = elements.count * ort::size_of(input.type);
    read.feeds.push_back({index, elements.data, bytes, read_integers(feed.Get("dims"), "dims", kMaxSafeInteger)});
    read.arrays.push_back(Napi::Persistent(array.As<Napi::Object>()));
  }
  return read;
}

std::vector<std::size_t> read_outputs(const Napi::Value& from, const ort::LoadedSession& session) {
  const auto last = static_cast<std::int64_t>(session.outputs().size()) - 1;
  std::vector<std::size_t> outputs;
  for (const std::int64_t index : read_integers(from, "outputs", last)) {
    outputs.push_back(static_cast<std::size_t>(index));
  }
  return outputs;
}

Napi::Value to_tensors(Napi::Env env, std::vector<ort::Result>& results) {
  Napi::Array list = Napi::Array::New(env, results.size());
  for (std::size_t i = 0; i < results.size(); ++i) list.Set(static_cast<std::uint32_t>(i), to_tensor(env, results[i]));
  return list;
}

}  // namespace us::node
