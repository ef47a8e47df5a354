#include "ort/operators/list.hpp"

namespace us::ort {
namespace {

/// ReluGrad(y, dy) -> dx.
class ReluGrad : public OperatorKernel {
 public:
  explicit ReluGrad(const OperatorNode& node) : mask_(node.mask(true)) {}

  void compute(const Computation& computation) const override {
    const TensorView y = computation.input(0);
    const TensorView dy = computation.input(1);
    require_same_dims(dy, y);
    const MaskedSignal work{mask_, y.data, dy.data, computation.output(0, dy.dims)};
    if (work.dx == nullptr) return;
    const auto& kernels = signal_kernels();
    constexpr std::int64_t kBytes = 3 * sizeof(float);
    computation.share_in_steps(element_count(dy.dims), kElementStep, kBytes, [&](std::int64_t begin, std::int64_t end) {
      return kernels.mask_signal(work, begin, end);
    });
  }

 private:
  SignalMask mask_;
};

std::size_t may_share_memory(int** inputs, int** outputs) {
  // dy above all: y may be wanted elsewhere.
  static int from[] = {1, 0};
  static int to[] = {0, 0};
  *inputs = from;
  *outputs = to;
  return 2;
}

}  // namespace

const OperatorDefinition relu_grad{
    "ReluGrad",
    {2, false},
    {1, false},
    [](const OperatorNode& node) -> std::unique_ptr<OperatorKernel> { return std::make_unique<ReluGrad>(node); },
    &infer_as_input<1>,
    &may_share_memory,
};

}  // namespace us::ort
