#include "ort/operators/list.hpp"
#include "ort/operators/pool_attributes.hpp"

namespace us::ort {
namespace {

/// Rows of a plane that are worth a range of their own: the windows above it are looked at twice.
constexpr std::int64_t kRowsPerWindow = 8;

/// MaxPoolGrad(x, y, dy) -> dx.
class MaxPoolGrad : public OperatorKernel {
 public:
  explicit MaxPoolGrad(const OperatorNode& node) : pool_(node), block_(node.block()), mask_(node.mask(false)) {}

  void compute(const Computation& computation) const override {
    const TensorView x = computation.input(0);
    const TensorView y = computation.input(1);
    const TensorView dy = computation.input(2);
    require_same_dims(dy, y);
    const us_pool2d_params params = pool_.params(x.dims, y.dims, block_);
    float* const dx = computation.output(0, x.dims);
    if (dx == nullptr) return;
    if (block_ == 1) {
      unpool_planes(computation, params, x.data, dy.data, dx);
    } else {
      unpool_blocks(computation, params, x.data, dy.data, dx);
    }
  }

 private:
  void unpool_planes(const Computation& computation, const us_pool2d_params& params, const float* x, const float* dy,
                     float* dx) const {
    const auto& kernels = signal_kernels();
    const std::int64_t cells = std::int64_t{params.height} * params.width;
    const std::int64_t windows = std::int64_t{params.out_height} * params.out_width;
    constexpr us_execution kHere{US_BACKEND_CPU, 1, nullptr};
    const auto bytes = static_cast<std::int64_t>(sizeof(float)) * (2 * cells + windows);
    computation.share(params.planes, bytes, [&](std::int64_t begin, std::int64_t end) {
      us_pool2d_params some = params;
      some.planes = end - begin;
      const float* const from = x + begin * cells;
      float* const to = dx + begin * cells;
      const us_status status = us_max_pool_backward(&kHere, &some, mask_.rule, from, dy + begin * windows, to);
      if (status != US_OK || !mask_.has_ceiling) return status;
      return kernels.mask_signal({mask_, from, to, to}, 0, some.planes * cells);
    });
  }

  void unpool_blocks(const Computation& computation, const us_pool2d_params& params, const float* x, const float* dy,
                     float* dx) const {
    const auto& kernels = signal_kernels();
    const BlockedPooling work{mask_, pool_axes(params), block_, x, dy, dx};
    const std::int64_t rows = std::min<std::int64_t>(params.height, kRowsPerWindow * params.kernel[0]);
    const auto bytes = static_cast<std::int64_t>(sizeof(float)) * 3 * params.width * block_;
    computation.share_in_steps(params.planes * params.height, rows, bytes, [&](std::int64_t begin, std::int64_t end) {
      return kernels.unpool_blocks(work, begin, end);
    });
  }

  PoolAttributes pool_;
  std::int64_t block_;
  SignalMask mask_;
};

}  // namespace

const OperatorDefinition max_pool_grad{
    "MaxPoolGrad",
    {3, false},
    {1, false},
    [](const OperatorNode& node) -> std::unique_ptr<OperatorKernel> { return std::make_unique<MaxPoolGrad>(node); },
    &infer_as_input<0>,
    nullptr,
};

}  // namespace us::ort
