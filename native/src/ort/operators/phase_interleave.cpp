#include "ort/operators/list.hpp"

namespace us::ort {
namespace {

constexpr std::int64_t kMostPhases = 1 << 16;

/// PhaseInterleave(phases that are present ..., [y]) -> dx.
class PhaseInterleave : public OperatorKernel {
 public:
  explicit PhaseInterleave(const OperatorNode& node)
      : strides_(pair(node, "strides")),
        sizes_(pair(node, "sizes")),
        block_(node.block()),
        mask_(node.mask(false)),
        masked_(node.integer("masked").value_or(0) != 0) {
    if (strides_[0] > kMostPhases / strides_[1]) node.fail("strides " + text_of(strides_) + " make too many phases");
    const std::int64_t phases = strides_[0] * strides_[1];
    Dims all;
    for (std::int64_t phase = 0; phase < phases; ++phase) all.push_back(phase);
    present_ = node.integers("present").value_or(all);
    std::vector<bool> seen(static_cast<std::size_t>(phases));
    for (const std::int64_t phase : present_) {
      if (phase < 0 || phase >= phases || seen[static_cast<std::size_t>(phase)]) {
        const std::string each = "each of the " + std::to_string(phases) + " phases at most once";
        node.fail("present " + text_of(present_) + " must name " + each);
      }
      seen[static_cast<std::size_t>(phase)] = true;
    }
    const std::size_t inputs = present_.size() + (masked_ ? 1 : 0);
    if (node.input_count() != inputs) {
      const std::string expected = "present and masked stand for " + std::to_string(inputs);
      node.fail("there are " + std::to_string(node.input_count()) + " inputs; " + expected);
    }
    const bool reads_output = mask_.rule == US_SIGNAL_RULE_GRADIENT || mask_.rule == US_SIGNAL_RULE_GUIDED;
    if (reads_output && !masked_) node.fail("the rule needs y: set masked to 1 and give y as the last input");
  }

  void compute(const Computation& computation) const override {
    std::vector<const float*> phases(static_cast<std::size_t>(strides_[0] * strides_[1]), nullptr);
    Dims dims;
    for (std::size_t i = 0; i < present_.size(); ++i) {
      const TensorView phase = computation.input(i);
      const std::string name = "phase " + std::to_string(present_[i]);
      if (phase.dims.size() != 4) refuse(name + " " + text_of(phase.dims) + " must have 4 axes");
      if (dims.empty()) dims = {phase.dims[0], phase.dims[1], sizes_[0], sizes_[1]};
      const Dims expected{dims[0], dims[1], cells(0, present_[i] / strides_[1]), cells(1, present_[i] % strides_[1])};
      if (phase.dims != expected) refuse(name + " is " + text_of(phase.dims) + ", it must be " + text_of(expected));
      phases[static_cast<std::size_t>(present_[i])] = phase.data;
    }
    const float* y = nullptr;
    if (masked_) {
      const TensorView output = computation.input(present_.size());
      if (output.dims.size() != 4) refuse("y " + text_of(output.dims) + " must have 4 axes");
      if (dims.empty()) dims = {output.dims[0], output.dims[1], sizes_[0], sizes_[1]};
      if (output.dims != dims) refuse("y is " + text_of(output.dims) + ", not " + text_of(dims) + " as dx");
      y = output.data;
    }
    require_blocks("dx", dims, block_);
    const InterleavedPhases work{mask_,  sizes_[0],     sizes_[1], {strides_[0], strides_[1]},
                                 block_, phases.data(), y,         computation.output(0, dims)};
    if (work.dx == nullptr || element_count(dims) == 0) return;
    const auto& kernels = signal_kernels();
    const auto bytes = static_cast<std::int64_t>((masked_ ? 3 : 2) * sizeof(float)) * sizes_[1] * block_;
    computation.share(dims[0] * (dims[1] / block_) * sizes_[0], bytes, [&](std::int64_t begin, std::int64_t end) {
      return kernels.interleave_phases(work, begin, end);
    });
  }

 private:
  static Dims pair(const OperatorNode& node, const char* name) {
    Dims values = node.required_integers(name);
    if (values.size() != 2 || values[0] < 1 || values[1] < 1) {
      node.fail(std::string("the attribute ") + name + " must be two numbers above 0, it is " + text_of(values));
    }
    return values;
  }

  /// Cells of a phase along an axis. A phase beyond the size has none.
  std::int64_t cells(std::size_t axis, std::int64_t phase) const {
    return phase < sizes_[axis] ? ceil_divide(sizes_[axis] - phase, strides_[axis]) : 0;
  }

  Dims strides_;
  Dims sizes_;
  std::int64_t block_;
  SignalMask mask_;
  bool masked_;
  Dims present_;
};

void infer(const ShapeInference& inference) {
  auto dims = inference.input(0);
  const auto sizes = inference.integers("sizes");
  if (!dims.has_value() || !sizes.has_value() || dims->sizes.size() != 4 || sizes->size() != 2) return;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    dims->sizes[2 + axis] = (*sizes)[axis];
    dims->names[2 + axis].clear();
  }
  inference.set_output(0, *dims);
}

}  // namespace

const OperatorDefinition phase_interleave{
    "PhaseInterleave",
    {1, true},
    {1, false},
    [](const OperatorNode& node) -> std::unique_ptr<OperatorKernel> { return std::make_unique<PhaseInterleave>(node); },
    &infer,
    nullptr,
};

}  // namespace us::ort
