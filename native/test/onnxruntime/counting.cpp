// ONNX Runtime's library with its table replaced by one that counts what is given out and taken back, and that can fail
// at any call. The library itself is named by the environment variable US_COUNTED_LIBRARY.
#include <atomic>
#include <cstdlib>

#include <dlfcn.h>

#include "ort/api.hpp"

using namespace us::ort;

namespace {

std::atomic<int> live_objects{0};
std::atomic<int> calls_so_far{0};
std::atomic<int> failing_call{0};

const ApiBase& real_base() {
  static const ApiBase& base = [&]() -> const ApiBase& {
    void* const library = dlopen(std::getenv("US_COUNTED_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    return *reinterpret_cast<const ApiBase* (*)()>(dlsym(library, "OrtGetApiBase"))();
  }();
  return base;
}

const Api& real() {
  static const Api& table = *real_base().GetApi(kApiVersion);
  return table;
}

/// The failure that was asked for, or NULL.
Status* injected() {
  if (++calls_so_far != failing_call) return nullptr;
  return real().CreateStatus(kFail, "injected");
}

Status* counted(Status* status) {
  if (status != nullptr) ++live_objects;
  return status;
}

/// A call that may fail, and gives out that many objects where it does not.
template <auto member, int gives>
struct Call;
template <typename... A, Status* (*Api::*member)(A...), int gives>
struct Call<member, gives> {
  static Status* call(A... arguments) {
    Status* status = injected();
    if (status == nullptr) status = (real().*member)(arguments...);
    if (status == nullptr) live_objects += gives;
    return counted(status);
  }
};

template <auto member>
struct Taking;
template <typename T, void (*Api::*member)(T*)>
struct Taking<member> {
  static void call(T* object) {
    if (object != nullptr) --live_objects;
    (real().*member)(object);
  }
};

Status* create_status(ErrorCode code, const char* message) { return counted(real().CreateStatus(code, message)); }

/// It takes back even where it is told to fail: there is nothing a caller could do about it.
Status* free_text(Allocator* allocator, void* memory) {
  --live_objects;
  return counted(real().AllocatorFree(allocator, memory));
}

Status* run(Session* session, const RunOptions* options, const char* const* input_names, const Value* const* inputs,
            std::size_t input_count, const char* const* output_names, std::size_t output_count, Value** outputs) {
  if (Status* const status = injected()) return counted(status);
  int given = 0;
  for (std::size_t i = 0; i < output_count; ++i) given += outputs[i] == nullptr;
  Status* const status =
      real().Run(session, options, input_names, inputs, input_count, output_names, output_count, outputs);
  if (status == nullptr) live_objects += given;
  return counted(status);
}

Api make_table() {
  Api table = real();
#define GIVES(member, count) table.member = Call<&Api::member, count>::call
  GIVES(CreateSessionFromArray, 1);
  GIVES(CreateSessionOptions, 1);
  GIVES(CreateRunOptions, 1);
  GIVES(CreateCustomOpDomain, 1);
  GIVES(CreateTensorWithDataAsOrtValue, 1);
  GIVES(CreateCpuMemoryInfo, 1);
  GIVES(CreateThreadingOptions, 1);
  GIVES(CreateEnvWithGlobalThreadPools, 1);
  GIVES(SessionGetInputTypeInfo, 1);
  GIVES(GetTensorTypeAndShape, 1);
  GIVES(SessionGetInputName, 1);
  GIVES(SessionGetOutputName, 1);
  GIVES(SessionEndProfiling, 1);
  GIVES(EnableProfiling, 0);
  GIVES(EnableMemPattern, 0);
  GIVES(EnableCpuMemArena, 0);
  GIVES(SetSessionLogSeverityLevel, 0);
  GIVES(SetSessionGraphOptimizationLevel, 0);
  GIVES(SetIntraOpNumThreads, 0);
  GIVES(SetInterOpNumThreads, 0);
  GIVES(CustomOpDomain_Add, 0);
  GIVES(AddCustomOpDomain, 0);
  GIVES(SessionGetInputCount, 0);
  GIVES(SessionGetOutputCount, 0);
  GIVES(RunOptionsSetRunLogSeverityLevel, 0);
  GIVES(IsTensor, 0);
  GIVES(GetTensorMutableData, 0);
  GIVES(CastTypeInfoToTensorInfo, 0);
  GIVES(GetTensorElementType, 0);
  GIVES(GetDimensionsCount, 0);
  GIVES(GetDimensions, 0);
  GIVES(GetAllocatorWithDefaultOptions, 0);
  GIVES(DisablePerSessionThreads, 0);
  GIVES(AddSessionConfigEntry, 0);
  GIVES(SetGlobalIntraOpNumThreads, 0);
  GIVES(SetGlobalInterOpNumThreads, 0);
  GIVES(SetGlobalSpinControl, 0);
  GIVES(AddExternalInitializersFromFilesInMemory, 0);
  // What the operators call to tell shapes. Their kernels are given ONNX Runtime's own table.
  GIVES(CreateTensorTypeAndShapeInfo, 1);
  GIVES(SetTensorElementType, 0);
  GIVES(SetDimensions, 0);
  GIVES(GetSymbolicDimensions, 0);
  GIVES(SetSymbolicDimensions, 0);
  GIVES(ShapeInferContext_GetInputCount, 0);
  GIVES(ShapeInferContext_GetInputTypeShape, 0);
  GIVES(ShapeInferContext_GetAttribute, 0);
  GIVES(ShapeInferContext_SetOutputTypeShape, 0);
  GIVES(ReadOpAttr, 0);
#undef GIVES
  table.CreateStatus = create_status;
  table.AllocatorFree = free_text;
  table.Run = run;
  table.ReleaseEnv = Taking<&Api::ReleaseEnv>::call;
  table.ReleaseStatus = Taking<&Api::ReleaseStatus>::call;
  table.ReleaseMemoryInfo = Taking<&Api::ReleaseMemoryInfo>::call;
  table.ReleaseSession = Taking<&Api::ReleaseSession>::call;
  table.ReleaseValue = Taking<&Api::ReleaseValue>::call;
  table.ReleaseRunOptions = Taking<&Api::ReleaseRunOptions>::call;
  table.ReleaseTypeInfo = Taking<&Api::ReleaseTypeInfo>::call;
  table.ReleaseTensorTypeAndShapeInfo = Taking<&Api::ReleaseTensorTypeAndShapeInfo>::call;
  table.ReleaseSessionOptions = Taking<&Api::ReleaseSessionOptions>::call;
  table.ReleaseCustomOpDomain = Taking<&Api::ReleaseCustomOpDomain>::call;
  table.ReleaseThreadingOptions = Taking<&Api::ReleaseThreadingOptions>::call;
  return table;
}

const Api* get_api(std::uint32_t /*version*/) {
  static const Api table = make_table();
  return &table;
}

const char* get_version() { return real_base().GetVersionString(); }

}  // namespace

extern "C" {
const ApiBase* OrtGetApiBase();
int counting_live();
int counting_calls();
void counting_fail_at(int call);

const ApiBase* OrtGetApiBase() {
  static const ApiBase base{get_api, get_version};
  return &base;
}

int counting_live() { return live_objects; }
int counting_calls() { return calls_so_far; }

void counting_fail_at(int call) {
  calls_so_far = 0;
  failing_call = call;
}
}
