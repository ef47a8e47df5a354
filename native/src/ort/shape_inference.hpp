#pragma once

#include <optional>
#include <string>

#include "ort/operator_node.hpp"

namespace us::ort {

/// Sizes as far as a graph says them: a size that only has a name is below 0.
struct SymbolicDims {
  Dims sizes;
  std::vector<std::string> names;
};

/// What is known about a node while a graph is loaded. A shape that stays unsaid costs speed at most, so nothing here
/// fails towards ONNX Runtime, which has no use for a failure at this place.
class ShapeInference {
 public:
  ShapeInference(const Api& api, ShapeInferContext* context) : api_(api), context_(context) {}

  /// Empty unless every size has a number or a name.
  std::optional<SymbolicDims> input(std::size_t index) const;
  std::optional<Dims> integers(const char* attribute) const;
  void set_output(std::size_t index, const SymbolicDims& dims) const;

 private:
  const Api& api_;
  ShapeInferContext* context_;
};

}  // namespace us::ort
