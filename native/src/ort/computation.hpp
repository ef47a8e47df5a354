#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cpu/isa.hpp"
#include "ort/operator_node.hpp"

namespace us::ort {

/// A float32 tensor of ONNX Runtime's, for as long as the node runs.
struct TensorView {
  Dims dims;
  const float* data = nullptr;
};

std::int64_t element_count(const Dims& dims);

// What a node is given at its run and cannot take; all throw Failure.
[[noreturn]] void refuse(const std::string& message);
void require_same_dims(const TensorView& dy, const TensorView& y);
/// Whether blocks of `block` channels make up axis 1.
void require_blocks(const char* name, const Dims& dims, std::int64_t block);

/// Does the items from the first number up to the second.
using RangeWork = std::function<us_status(std::int64_t, std::int64_t)>;

/// Elements of a flat array that are shared out as one: ranges then start on a cache line where the array does.
constexpr std::int64_t kElementStep = 1024;

/// One run of a node: its tensors and ONNX Runtime's threads. Failures say which input or output they are about.
class Computation {
 public:
  Computation(const Api& api, KernelContext* context) : api_(api), context_(context) {}

  /// Throws Failure where an input that has no name in the graph, "", was left out.
  TensorView input(std::size_t index) const;
  /// The memory of an output of these dims; NULL where nobody wants it.
  float* output(std::size_t index, const Dims& dims) const;

  /// Calls work(begin, end) for ranges that make up all items, on the threads of the session: `bytes` is the traffic
  /// of an item, and a range has enough items to be worth handing out. Throws the first Failure of them.
  void share(std::int64_t items, std::int64_t bytes, const RangeWork& work) const;

  /// share() in ranges of whole steps of `step` items each, the last one maybe shorter.
  void share_in_steps(std::int64_t items, std::int64_t step, std::int64_t bytes, const RangeWork& work) const;

 private:
  const Api& api_;
  KernelContext* context_;
};

/// The functions of cpu/signal_kernels.def for this processor; throws Failure where UNITSCOPE_ISA asks for others.
const cpu::KernelSet& signal_kernels();

}  // namespace us::ort
