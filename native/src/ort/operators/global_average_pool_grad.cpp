#include "ort/operators/list.hpp"

namespace us::ort {
namespace {

/// GlobalAveragePoolGrad(dy, x) -> dx.
class GlobalAveragePoolGrad : public OperatorKernel {
 public:
  explicit GlobalAveragePoolGrad(const OperatorNode& node) : block_(node.block()), mask_(node.mask(false)) {}

  void compute(const Computation& computation) const override {
    const TensorView dy = computation.input(0);
    const TensorView x = computation.input(1);
    if (x.dims.size() < 2) refuse("x " + text_of(x.dims) + " must have two axes or more");
    Dims expected(x.dims.size(), 1);
    expected[0] = x.dims[0];
    expected[1] = x.dims[1];
    if (dy.dims != expected) {
      refuse("dy is " + text_of(dy.dims) + ", the average of x " + text_of(x.dims) + " is " + text_of(expected));
    }
    require_blocks("x", x.dims, block_);
    const std::int64_t cells = element_count(Dims(x.dims.begin() + 2, x.dims.end()));
    const SpreadSignal work{mask_, cells, block_, x.data, dy.data, computation.output(0, x.dims)};
    if (work.dx == nullptr) return;
    const auto& kernels = signal_kernels();
    const auto bytes = static_cast<std::int64_t>(2 * sizeof(float)) * cells * block_;
    computation.share(x.dims[0] * (x.dims[1] / block_), bytes, [&](std::int64_t begin, std::int64_t end) {
      return kernels.spread_signal(work, begin, end);
    });
  }

 private:
  std::int64_t block_;
  SignalMask mask_;
};

}  // namespace

const OperatorDefinition global_average_pool_grad{
    "GlobalAveragePoolGrad",
    {2, false},
    {1, false},
    [](const OperatorNode& node) -> std::unique_ptr<OperatorKernel> {
      return std::make_unique<GlobalAveragePoolGrad>(node);
    },
    &infer_as_input<1>,
    nullptr,
};

}  // namespace us::ort
