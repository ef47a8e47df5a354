#include "ort/shape_inference.hpp"

#include "ort/owned.hpp"

namespace us::ort {

std::optional<SymbolicDims> ShapeInference::input(std::size_t index) const {
  // Belongs to the context.
  TensorTypeAndShapeInfo* info = nullptr;
  check(api_, api_.ShapeInferContext_GetInputTypeShape(context_, index, &info));
  std::size_t rank = 0;
  check(api_, api_.GetDimensionsCount(info, &rank));
  // An unknown shape looks like that of a scalar.
  if (rank == 0) return std::nullopt;
  SymbolicDims dims{Dims(rank), {}};
  std::vector<const char*> names(rank);
  check(api_, api_.GetDimensions(info, dims.sizes.data(), rank));
  check(api_, api_.GetSymbolicDimensions(info, names.data(), rank));
  for (std::size_t i = 0; i < rank; ++i) {
    dims.names.emplace_back(names[i] == nullptr ? "" : names[i]);
    if (dims.sizes[i] < 0 && dims.names[i].empty()) return std::nullopt;
  }
  return dims;
}

std::optional<Dims> ShapeInference::integers(const char* attribute) const {
  const OpAttr* found = nullptr;
  check(api_, api_.ShapeInferContext_GetAttribute(context_, attribute, &found));
  std::size_t bytes = 0;
  // Too little room, and the answer is how much it takes.
  if (Status* const status = api_.ReadOpAttr(found, kAttrInts, nullptr, 0, &bytes)) api_.ReleaseStatus(status);
  Dims values(bytes / sizeof(std::int64_t));
  if (values.empty()) return std::nullopt;
  check(api_, api_.ReadOpAttr(found, kAttrInts, values.data(), bytes, &bytes));
  return values;
}

void ShapeInference::set_output(std::size_t index, const SymbolicDims& dims) const {
  const auto info = make(api_, api_.ReleaseTensorTypeAndShapeInfo, api_.CreateTensorTypeAndShapeInfo);
  check(api_, api_.SetTensorElementType(info.get(), kFloat));
  check(api_, api_.SetDimensions(info.get(), dims.sizes.data(), dims.sizes.size()));
  std::vector<const char*> names;
  for (const std::string& name : dims.names) names.push_back(name.c_str());
  check(api_, api_.SetSymbolicDimensions(info.get(), names.data(), names.size()));
  check(api_, api_.ShapeInferContext_SetOutputTypeShape(context_, index, info.get()));
}

}  // namespace us::ort
