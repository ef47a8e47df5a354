#pragma once

#include <map>
#include <string>
#include <vector>

#include "operators/model.hpp"
#include "operators/reference.hpp"
#include "ort/custom_operator.hpp"
#include "ort/library.hpp"
#include "ort/owned.hpp"

// ONNX Runtime as the tests use it: every object is released on every path, so that a leak shows.

struct Tensor {
  std::vector<std::int64_t> dims;
  Array values;
};

class TestEnvironment {
 public:
  explicit TestEnvironment(const std::string& library)
      : library_(library), env_(us::ort::make(api(), api().ReleaseEnv, api().CreateEnv, us::ort::kFatal, "test")) {}

  const us::ort::Api& api() const { return library_.api(); }
  const us::ort::Env* get() const { return env_.get(); }

 private:
  us::ort::Library library_;
  us::ort::Owned<us::ort::Env> env_;
};

using Options = us::ort::Owned<us::ort::SessionOptions>;

inline Options make_options(const TestEnvironment& environment, int threads) {
  const us::ort::Api& api = environment.api();
  Options options = us::ort::make(api, api.ReleaseSessionOptions, api.CreateSessionOptions);
  us::ort::check(api, api.SetIntraOpNumThreads(options.get(), threads));
  us::ort::check(api, api.SetSessionLogSeverityLevel(options.get(), us::ort::kFatal));
  us::ort::check(api, api.SetSessionGraphOptimizationLevel(options.get(), us::ort::kEnableAll));
  return options;
}

class TestSession {
 public:
  /// Throws us::ort::Failure.
  TestSession(const TestEnvironment& environment, const us::ort::SessionOptions* options, const std::string& model)
      : api_(environment.api()),
        session_(us::ort::make(api_, api_.ReleaseSession, api_.CreateSessionFromArray, environment.get(),
                               static_cast<const void*>(model.data()), model.size(), options)) {}

  /// Throws us::ort::Failure.
  std::vector<Tensor> run(const std::map<std::string, Tensor>& feeds, const std::vector<std::string>& outputs) const {
    const auto memory = us::ort::make(api_, api_.ReleaseMemoryInfo, api_.CreateCpuMemoryInfo, us::ort::kDeviceAllocator,
                                      us::ort::kMemoryDefault);
    std::vector<us::ort::Owned<us::ort::Value>> owned;
    std::vector<const us::ort::Value*> inputs;
    std::vector<const char*> names;
    for (const auto& [name, tensor] : feeds) {
      // Read only, but the interface does not promise it.
      void* const data = const_cast<float*>(tensor.values.data());
      owned.push_back(us::ort::make(api_, api_.ReleaseValue, api_.CreateTensorWithDataAsOrtValue,
                                    static_cast<const us::ort::MemoryInfo*>(memory.get()), data,
                                    tensor.values.size() * sizeof(float), tensor.dims.data(), tensor.dims.size(),
                                    us::ort::kFloat));
      inputs.push_back(owned.back().get());
      names.push_back(name.c_str());
    }
    std::vector<const char*> wanted;
    wanted.reserve(outputs.size());
    for (const std::string& output : outputs) wanted.push_back(output.c_str());
    std::vector<us::ort::Value*> given(outputs.size());
    us::ort::check(api_, api_.Run(session_.get(), nullptr, names.data(), inputs.data(), inputs.size(), wanted.data(),
                                  wanted.size(), given.data()));
    std::vector<Tensor> results;
    for (us::ort::Value* const value : given) {
      const us::ort::Owned<us::ort::Value> result(value, {api_.ReleaseValue});
      results.push_back(copy(result.get()));
    }
    return results;
  }

  /// The shape of an output as it was inferred; a size that is only a name is -1.
  std::vector<std::int64_t> inferred(std::size_t output) const {
    using Get = us::ort::Status* (*)(const us::ort::Session*, std::size_t, us::ort::TypeInfo**);
    constexpr std::size_t kSessionGetOutputTypeInfo = 34;
    const auto get = reinterpret_cast<Get>(reinterpret_cast<void* const*>(&api_)[kSessionGetOutputTypeInfo]);
    const us::ort::Session* const session = session_.get();
    const auto type = us::ort::make(api_, api_.ReleaseTypeInfo, get, session, output);
    const us::ort::TensorTypeAndShapeInfo* info = nullptr;
    us::ort::check(api_, api_.CastTypeInfoToTensorInfo(type.get(), &info));
    return dims_of(info);
  }

 private:
  std::vector<std::int64_t> dims_of(const us::ort::TensorTypeAndShapeInfo* info) const {
    std::size_t rank = 0;
    us::ort::check(api_, api_.GetDimensionsCount(info, &rank));
    std::vector<std::int64_t> dims(rank);
    us::ort::check(api_, api_.GetDimensions(info, dims.data(), rank));
    return dims;
  }

  Tensor copy(us::ort::Value* value) const {
    const auto info = us::ort::make(api_, api_.ReleaseTensorTypeAndShapeInfo, api_.GetTensorTypeAndShape,
                                    static_cast<const us::ort::Value*>(value));
    Tensor tensor{dims_of(info.get()), {}};
    void* data = nullptr;
    us::ort::check(api_, api_.GetTensorMutableData(value, &data));
    tensor.values.resize(static_cast<std::size_t>(us::ort::element_count(tensor.dims)));
    if (!tensor.values.empty()) std::memcpy(tensor.values.data(), data, tensor.values.size() * sizeof(float));
    return tensor;
  }

  const us::ort::Api& api_;
  us::ort::Owned<us::ort::Session> session_;
};
