// Whether the operators give back what ONNX Runtime makes for them: they work through a table that counts.
#include <atomic>

#include "operators/session.hpp"
#include "operators/suites.hpp"

namespace {

using us::ort::Api;
using us::ort::Status;

// The members of the table are plain functions, so what they share is here.
const Api* original = nullptr;
std::atomic<int> statuses{0};
std::atomic<int> infos{0};
std::atomic<int> texts{0};

template <auto Member, typename... Parameters>
Status* call_counted(Parameters... parameters) {
  Status* const status = (original->*Member)(parameters...);
  if (status != nullptr) ++statuses;
  return status;
}

template <auto Member, typename... Parameters>
void count_statuses(Status* (*&member)(Parameters...)) {
  member = &call_counted<Member, Parameters...>;
}

/// A table like `api` that counts what it hands out and takes back. What the operators do not call it does not have.
Api counting_table(const Api& api) {
  original = &api;
  Api table{};
#define US_COUNT(member) count_statuses<&Api::member>(table.member)
  US_COUNT(CreateStatus);
  US_COUNT(GetTensorMutableData);
  US_COUNT(SetTensorElementType);
  US_COUNT(SetDimensions);
  US_COUNT(GetDimensionsCount);
  US_COUNT(GetDimensions);
  US_COUNT(GetSymbolicDimensions);
  US_COUNT(GetAllocatorWithDefaultOptions);
  US_COUNT(KernelInfoGetAttribute_float);
  US_COUNT(KernelInfoGetAttribute_int64);
  US_COUNT(KernelInfoGetAttribute_string);
  US_COUNT(KernelInfoGetAttributeArray_float);
  US_COUNT(KernelInfoGetAttributeArray_int64);
  US_COUNT(KernelInfo_GetInputCount);
  US_COUNT(KernelInfo_GetOutputCount);
  US_COUNT(KernelInfo_GetNodeName);
  US_COUNT(KernelContext_GetInput);
  US_COUNT(KernelContext_GetOutput);
  US_COUNT(KernelContext_ParallelFor);
  US_COUNT(ShapeInferContext_GetInputTypeShape);
  US_COUNT(ShapeInferContext_GetAttribute);
  US_COUNT(ShapeInferContext_SetOutputTypeShape);
  US_COUNT(SetSymbolicDimensions);
  US_COUNT(ReadOpAttr);
#undef US_COUNT
  table.GetErrorCode = api.GetErrorCode;
  table.GetErrorMessage = api.GetErrorMessage;
  table.ReleaseStatus = [](Status* status) {
    if (status != nullptr) --statuses;
    original->ReleaseStatus(status);
  };
  table.GetTensorTypeAndShape = [](const us::ort::Value* value, us::ort::TensorTypeAndShapeInfo** out) {
    ++infos;
    return original->GetTensorTypeAndShape(value, out);
  };
  table.CreateTensorTypeAndShapeInfo = [](us::ort::TensorTypeAndShapeInfo** out) {
    ++infos;
    return original->CreateTensorTypeAndShapeInfo(out);
  };
  table.ReleaseTensorTypeAndShapeInfo = [](us::ort::TensorTypeAndShapeInfo* info) {
    --infos;
    original->ReleaseTensorTypeAndShapeInfo(info);
  };
  table.KernelInfoGetAttributeArray_string = [](const us::ort::KernelInfo* info, const char* name,
                                                us::ort::Allocator* allocator, char*** out, std::size_t* size) {
    Status* const status = original->KernelInfoGetAttributeArray_string(info, name, allocator, out, size);
    if (status == nullptr) {
      texts += 1 + static_cast<int>(*size);
    } else {
      ++statuses;
    }
    return status;
  };
  table.AllocatorFree = [](us::ort::Allocator* allocator, void* memory) {
    --texts;
    return original->AllocatorFree(allocator, memory);
  };
  return table;
}

}  // namespace

int statuses_kept() { return statuses; }
int objects_kept() { return infos + texts; }

const std::vector<const us::ort::CustomOp*>& counted_operators(const Api& api) {
  using Create = decltype(us::ort::CustomOp::CreateKernelV2);
  static const Api table = counting_table(api);
  static Create create = nullptr;
  const auto& operators = us::ort::custom_operators(table, us::ort::kApiVersion);
  for (const us::ort::CustomOp* const each : operators) {
    // Made for this table, so nobody else has them. ONNX Runtime gives its own table to kernels.
    auto& op = const_cast<us::ort::CustomOp&>(*each);
    create = op.CreateKernelV2;
    op.CreateKernelV2 = [](const us::ort::CustomOp* self, const Api* /*api*/, const us::ort::KernelInfo* info,
                           void** kernel) { return create(self, &table, info, kernel); };
  }
  return operators;
}
