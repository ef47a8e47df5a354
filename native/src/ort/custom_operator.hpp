#pragma once

#include <memory>
#include <vector>

#include "ort/computation.hpp"
#include "ort/operator_node.hpp"
#include "ort/shape_inference.hpp"

namespace us::ort {

/// An operator for one node: what its attributes say, read once.
class OperatorKernel {
 public:
  OperatorKernel() = default;
  OperatorKernel(const OperatorKernel&) = delete;
  OperatorKernel& operator=(const OperatorKernel&) = delete;
  virtual ~OperatorKernel() = default;

  /// May run in several threads at once. Throws Failure; operator and node are put in front of its message.
  virtual void compute(const Computation& computation) const = 0;
};

/// Inputs and outputs of an operator, all float32; the last of either may stand for any number from one on.
struct Arity {
  std::size_t count;
  bool variadic;
};

/// An operator of the domain `unitscope`, as its file defines it.
struct OperatorDefinition {
  const char* name;
  Arity inputs;
  Arity outputs;
  /// Throws Failure for attributes that are missing or wrong.
  std::unique_ptr<OperatorKernel> (*create)(const OperatorNode& node);
  /// Says the shapes of the outputs; throws Failure, or says nothing, where they are not known.
  void (*infer)(const ShapeInference& inference);
  /// CustomOp::GetMayInplace, or NULL. It is not told which operator is asked for.
  std::size_t (*may_share_memory)(int** inputs, int** outputs);
};

/// Output 0 has the shape of input `Index`.
template <std::size_t Index>
void infer_as_input(const ShapeInference& inference) {
  if (const auto dims = inference.input(Index); dims.has_value()) inference.set_output(0, *dims);
}

/// Tables older than this one have no KernelContext_ParallelFor, or know no operators that work in place.
constexpr std::uint32_t kOldestApiVersion = 18;

/// Every operator, for Api::CustomOpDomain_Add; `table` is the version of the table at `api`, kOldestApiVersion or
/// later, at most kApiVersion. They live as long as the process.
const std::vector<const CustomOp*>& custom_operators(const Api& api, std::uint32_t table);

}  // namespace us::ort
