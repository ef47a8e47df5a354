#include <array>
#include <atomic>

#include "onnxruntime/tests.hpp"

using namespace us::ort;

// Every member of the table and of CustomOp that custom operators use, by the values that come through it: one operator
// that reads all there is to read about its node, and computes y = factor x over shared threads and scratch memory.

namespace {

struct Seen {
  float real = 0;
  std::int64_t integer = 0;
  std::string text, name;
  std::vector<float> reals;
  std::vector<std::int64_t> integers;
  std::vector<std::string> texts;
  std::size_t inputs = 0, outputs = 0, run_inputs = 0, run_outputs = 0;
  std::vector<std::int64_t> inferred;
  std::int64_t inferred_attribute = 0;
  bool optional_is_absent = false;
};

// Operators are told apart by addresses only, so what they see lies outside.
Seen seen;
const Api* api_of_kernels = nullptr;

template <typename Read>
std::string read_text(const Api& api, Read read) {
  std::size_t size = 0;
  check(api, read(nullptr, &size));
  std::string text(size, '\0');
  check(api, read(text.data(), &size));
  text.resize(size - 1);
  return text;
}

void read_arrays(const Api& api, const KernelInfo* info) {
  std::size_t count = 0;
  check(api, api.KernelInfoGetAttributeArray_float(info, "reals", nullptr, &count));
  seen.reals.resize(count);
  check(api, api.KernelInfoGetAttributeArray_float(info, "reals", seen.reals.data(), &count));
  check(api, api.KernelInfoGetAttributeArray_int64(info, "integers", nullptr, &count));
  seen.integers.resize(count);
  check(api, api.KernelInfoGetAttributeArray_int64(info, "integers", seen.integers.data(), &count));
  Allocator* allocator = nullptr;
  check(api, api.GetAllocatorWithDefaultOptions(&allocator));
  char** texts = nullptr;
  check(api, api.KernelInfoGetAttributeArray_string(info, "texts", allocator, &texts, &count));
  for (std::size_t i = 0; i < count; ++i) {
    seen.texts.emplace_back(texts[i]);
    check(api, api.AllocatorFree(allocator, texts[i]));
  }
  check(api, api.AllocatorFree(allocator, texts));
}

Status* create(const CustomOp* /*op*/, const Api* api, const KernelInfo* info, void** kernel) {
  api_of_kernels = api;
  check(*api, api->KernelInfoGetAttribute_float(info, "real", &seen.real));
  check(*api, api->KernelInfoGetAttribute_int64(info, "integer", &seen.integer));
  seen.text = read_text(*api, [&](char* out, std::size_t* size) {
    return api->KernelInfoGetAttribute_string(info, "text", out, size);
  });
  seen.name = read_text(*api, [&](char* out, std::size_t* size) {
    return api->KernelInfo_GetNodeName(info, out, size);
  });
  read_arrays(*api, info);
  check(*api, api->KernelInfo_GetInputCount(info, &seen.inputs));
  check(*api, api->KernelInfo_GetOutputCount(info, &seen.outputs));
  *kernel = &seen;
  return nullptr;
}

struct Work {
  const float* x;
  float* scratch;
  std::atomic<int> calls{0};
};

Status* compute(void* /*kernel*/, KernelContext* context) {
  const Api& api = *api_of_kernels;
  check(api, api.KernelContext_GetInputCount(context, &seen.run_inputs));
  check(api, api.KernelContext_GetOutputCount(context, &seen.run_outputs));
  const Value* x = nullptr;
  const Value* absent = nullptr;
  check(api, api.KernelContext_GetInput(context, 0, &x));
  check(api, api.KernelContext_GetInput(context, 1, &absent));
  seen.optional_is_absent = absent == nullptr;
  const auto info = make(api, api.ReleaseTensorTypeAndShapeInfo, api.GetTensorTypeAndShape, x);
  std::size_t rank = 0;
  std::size_t count = 0;
  check(api, api.GetDimensionsCount(info.get(), &rank));
  std::vector<std::int64_t> dims(rank);
  check(api, api.GetDimensions(info.get(), dims.data(), rank));
  check(api, api.GetTensorShapeElementCount(info.get(), &count));
  Value* y = nullptr;
  check(api, api.KernelContext_GetOutput(context, 0, dims.data(), rank, &y));
  void* from = nullptr;
  void* to = nullptr;
  void* scratch = nullptr;
  check(api, api.GetTensorMutableData(const_cast<Value*>(x), &from));
  check(api, api.GetTensorMutableData(y, &to));
  const auto memory = make(api, api.ReleaseMemoryInfo, api.CreateCpuMemoryInfo, kArenaAllocator, kMemoryDefault);
  check(api, api.KernelContext_GetScratchBuffer(context, memory.get(), count * sizeof(float), &scratch));
  Work work{static_cast<const float*>(from), static_cast<float*>(scratch)};
  const auto each = [](void* data, std::size_t index) {
    auto& shared = *static_cast<Work*>(data);
    shared.scratch[index] = seen.real * shared.x[index];
    ++shared.calls;
  };
  check(api, api.KernelContext_ParallelFor(context, each, count, 0, &work));
  if (work.calls != static_cast<int>(count)) return api.CreateStatus(kFail, "some items were left out");
  std::memcpy(to, scratch, count * sizeof(float));
  // Negative numbers are what this operator refuses.
  return count > 0 && work.x[0] < 0 ? api.CreateStatus(kInvalidArgument, "x begins below zero") : nullptr;
}

Status* infer(const CustomOp* /*op*/, ShapeInferContext* context) {
  const Api& api = *api_of_kernels;
  std::size_t count = 0;
  check(api, api.ShapeInferContext_GetInputCount(context, &count));
  if (count == 0) return nullptr;
  TensorTypeAndShapeInfo* info = nullptr;
  check(api, api.ShapeInferContext_GetInputTypeShape(context, 0, &info));
  std::size_t rank = 0;
  check(api, api.GetDimensionsCount(info, &rank));
  seen.inferred.resize(rank);
  check(api, api.GetDimensions(info, seen.inferred.data(), rank));
  const OpAttr* attribute = nullptr;
  check(api, api.ShapeInferContext_GetAttribute(context, "integer", &attribute));
  std::size_t read = 0;
  check(api, api.ReadOpAttr(attribute, kAttrInt, &seen.inferred_attribute, sizeof seen.inferred_attribute, &read));
  const auto output = make(api, api.ReleaseTensorTypeAndShapeInfo, api.CreateTensorTypeAndShapeInfo);
  check(api, api.SetTensorElementType(output.get(), kFloat));
  check(api, api.SetDimensions(output.get(), seen.inferred.data(), rank));
  return api.ShapeInferContext_SetOutputTypeShape(context, 0, output.get());
}

CustomOp make_operator() {
  CustomOp op{};
  op.version = kApiVersion;
  op.GetName = [](const CustomOp*) { return "Probe"; };
  op.GetExecutionProviderType = [](const CustomOp*) -> const char* { return nullptr; };
  op.GetInputType = [](const CustomOp*, std::size_t) { return kFloat; };
  op.GetInputTypeCount = [](const CustomOp*) -> std::size_t { return 2; };
  op.GetOutputType = [](const CustomOp*, std::size_t) { return kFloat; };
  op.GetOutputTypeCount = [](const CustomOp*) -> std::size_t { return 1; };
  op.KernelDestroy = [](void*) {};
  op.GetInputCharacteristic = [](const CustomOp*, std::size_t index) { return index == 0 ? kRequired : kOptional; };
  op.GetOutputCharacteristic = [](const CustomOp*, std::size_t) { return kRequired; };
  op.GetInputMemoryType = [](const CustomOp*, std::size_t) { return kMemoryDefault; };
  op.GetVariadicInputMinArity = [](const CustomOp*) { return 0; };
  op.GetVariadicInputHomogeneity = [](const CustomOp*) { return 0; };
  op.GetVariadicOutputMinArity = [](const CustomOp*) { return 0; };
  op.GetVariadicOutputHomogeneity = [](const CustomOp*) { return 0; };
  op.CreateKernelV2 = create;
  op.KernelComputeV2 = compute;
  op.InferOutputShapeFn = infer;
  op.GetStartVersion = [](const CustomOp*) { return 1; };
  op.GetEndVersion = [](const CustomOp*) { return 1; };
  // Nothing shares memory.
  op.GetMayInplace = [](int**, int**) -> std::size_t { return 0; };
  op.ReleaseMayInplace = [](int*, int*) {};
  op.GetAliasMap = [](int**, int**) -> std::size_t { return 0; };
  op.ReleaseAliasMap = [](int*, int*) {};
  return op;
}

std::string probe_model() {
  return ModelWriter({"probe"})
      .input("x", {2, 3})
      .node(NodeWriter("Probe", {"x", ""}, {"y"}, "probe")
                .integer("integer", -7)
                .integers("integers", {5, std::int64_t{1} << 40})
                .real("real", 2.5F)
                .reals("reals", {0.25F, -3})
                .text("text", "some text")
                .texts("texts", {"one", "", "three"}))
      .output("y", {2, 3})
      .bytes();
}

}  // namespace

void test_members(Report& report, const std::string& library) {
  const Library opened(library);
  const Api& api = opened.api();
  api_of_kernels = &api;
  const Environment environment(api, 2);
  const CustomOp op = make_operator();
  const auto domain = make(api, api.ReleaseCustomOpDomain, api.CreateCustomOpDomain, "probe");
  check(api, api.CustomOpDomain_Add(domain.get(), &op));
  const auto options = environment.session_options();
  check(api, api.AddCustomOpDomain(options.get(), domain.get()));
  const std::string model = probe_model();
  const auto session = make(api, api.ReleaseSession, api.CreateSessionFromArray, environment.get(),
                            static_cast<const void*>(model.data()), model.size(),
                            static_cast<const SessionOptions*>(options.get()));
  report.check(seen.real == 2.5F && seen.integer == -7 && seen.text == "some text" && seen.name == "y", "attributes");
  report.check(seen.reals == std::vector<float>{0.25F, -3}, "an attribute of floats");
  report.check(seen.integers == std::vector<std::int64_t>{5, std::int64_t{1} << 40}, "an attribute of integers");
  report.check(seen.texts == std::vector<std::string>{"one", "", "three"}, "an attribute of strings");
  report.check(seen.inputs == 2 && seen.outputs == 1, "inputs and outputs of a node");
  report.check(seen.inferred == std::vector<std::int64_t>{2, 3} && seen.inferred_attribute == -7, "shape inference");

  const auto memory = make(api, api.ReleaseMemoryInfo, api.CreateCpuMemoryInfo, kDeviceAllocator, kMemoryDefault);
  std::array<float, 6> x{1, 2, 3, -4, 5, 6};
  const std::array<std::int64_t, 2> dims{2, 3};
  const auto input = make(api, api.ReleaseValue, api.CreateTensorWithDataAsOrtValue,
                          static_cast<const MemoryInfo*>(memory.get()), static_cast<void*>(x.data()), sizeof x,
                          dims.data(), dims.size(), kFloat);
  const char* const input_name = "x";
  const char* const output_name = "y";
  const Value* const given = input.get();
  Value* result = nullptr;
  check(api, api.Run(session.get(), nullptr, &input_name, &given, 1, &output_name, 1, &result));
  const Owned<Value> output(result, {api.ReleaseValue});
  void* data = nullptr;
  check(api, api.GetTensorMutableData(output.get(), &data));
  const auto* const y = static_cast<const float*>(data);
  for (std::size_t i = 0; i < x.size(); ++i) report.check(y[i] == 2.5F * x[i], "y[%zu] = 2.5 x", i);
  report.check(seen.run_inputs == 2 && seen.run_outputs == 1 && seen.optional_is_absent, "inputs and outputs of a run");

  x[0] = -1;
  Value* refused = nullptr;
  const std::string failure = failure_of(
      [&] { check(api, api.Run(session.get(), nullptr, &input_name, &given, 1, &output_name, 1, &refused)); });
  report.check(failure.find("x begins below zero") != std::string::npos, "an operator's error: %s", failure.c_str());
}
