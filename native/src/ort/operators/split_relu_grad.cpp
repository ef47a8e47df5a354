#include "ort/operators/list.hpp"

namespace us::ort {
namespace {

/// SplitReluGrad(dy, y) -> dx_1 ... dx_n.
class SplitReluGrad : public OperatorKernel {
 public:
  explicit SplitReluGrad(const OperatorNode& node) : split_(node.required_integers("split")) {
    const auto rules = node.texts("rules");
    if (!rules.has_value()) node.fail("the attribute rules (strings, or one string with commas in between) is missing");
    const auto ceilings = node.reals("ceilings");
    const auto count_as_split = [&](const char* name, std::size_t count) {
      if (count == split_.size()) return;
      const std::string parts = " for a split into " + std::to_string(split_.size()) + " parts";
      node.fail("there are " + std::to_string(count) + " " + name + parts);
    };
    count_as_split("outputs", node.output_count());
    count_as_split("rules", rules->size());
    if (ceilings.has_value()) count_as_split("ceilings", ceilings->size());
    for (std::size_t part = 0; part < split_.size(); ++part) {
      if (split_[part] < 0) node.fail("the split " + text_of(split_) + " must not have parts below 0");
      channels_ += split_[part];
      const auto ceiling = ceilings.has_value() ? std::optional((*ceilings)[part]) : std::nullopt;
      masks_.push_back(node.mask((*rules)[part], ceiling));
    }
  }

  void compute(const Computation& computation) const override {
    const TensorView dy = computation.input(0);
    const TensorView y = computation.input(1);
    require_same_dims(dy, y);
    if (dy.dims.size() < 2 || dy.dims[1] != channels_) {
      refuse("dy " + text_of(dy.dims) + " must have the " + std::to_string(channels_) + " channels of the split");
    }
    const std::int64_t cells = element_count(Dims(dy.dims.begin() + 2, dy.dims.end()));
    std::vector<SignalPart> parts;
    for (std::size_t part = 0; part < split_.size(); ++part) {
      Dims dims = dy.dims;
      dims[1] = split_[part];
      parts.push_back({split_[part] * cells, masks_[part], computation.output(part, dims)});
    }
    const SplitSignal work{parts.data(), static_cast<std::int64_t>(parts.size()), channels_ * cells, y.data, dy.data};
    const auto& kernels = signal_kernels();
    constexpr std::int64_t kBytes = 3 * sizeof(float);
    computation.share_in_steps(element_count(dy.dims), kElementStep, kBytes, [&](std::int64_t begin, std::int64_t end) {
      return kernels.split_signal(work, begin, end);
    });
  }

 private:
  Dims split_;
  std::vector<SignalMask> masks_;
  std::int64_t channels_ = 0;
};

void infer(const ShapeInference& inference) {
  auto dims = inference.input(0);
  const auto split = inference.integers("split");
  if (!dims.has_value() || !split.has_value() || dims->sizes.size() < 2) return;
  dims->names[1].clear();
  for (std::size_t part = 0; part < split->size(); ++part) {
    dims->sizes[1] = (*split)[part];
    inference.set_output(part, *dims);
  }
}

}  // namespace

const OperatorDefinition split_relu_grad{
    "SplitReluGrad",
    {2, false},
    {1, true},
    [](const OperatorNode& node) -> std::unique_ptr<OperatorKernel> { return std::make_unique<SplitReluGrad>(node); },
    &infer,
    nullptr,
};

}  // namespace us::ort
