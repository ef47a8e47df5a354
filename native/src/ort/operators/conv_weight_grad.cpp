#include <algorithm>
#include <mutex>

#include "ort/operators/list.hpp"

namespace us::ort {
namespace {

/// Cells of the fixed map that are laid out at a time: a few rows of them stay in the first cache, all in the second.
constexpr std::int64_t kCells = 2048;
/// Vectors of every instruction set end at multiples of it.
constexpr std::int64_t kWhole = 16;
constexpr std::int64_t kRowsAtOnce = 4;
constexpr std::int64_t kMostStep = 1 << 12;

/// Memory to lay maps out in, which is used again: fresh pages would cost more than the work.
class Scratch {
 public:
  explicit Scratch(std::int64_t count) {
    {
      const std::lock_guard<std::mutex> lock(mutex());
      if (!idle().empty()) {
        memory_.swap(idle().back());
        idle().pop_back();
      }
    }
    if (memory_.size() < static_cast<std::size_t>(count)) memory_.resize(static_cast<std::size_t>(count));
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    constexpr std::size_t kMostIdle = 4;
    const std::lock_guard<std::mutex> lock(mutex());
    if (idle().size() < kMostIdle) idle().push_back(std::move(memory_));
  }

  float* data() { return memory_.data(); }

 private:
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
  static std::vector<std::vector<float>>& idle() {
    static std::vector<std::vector<float>> all;
    return all;
  }

  std::vector<float> memory_;
};

/// Some samples with all their rows, or some rows of one sample.
struct Chunk {
  std::int64_t first_sample;
  std::int64_t samples;
  std::int64_t first_row;
  std::int64_t rows;
};

std::int64_t round_up(std::int64_t value, std::int64_t step) { return ceil_divide(value, step) * step; }

/// ConvWeightGrad(slid, fixed) -> dW. Both maps are laid out with one pitch, the slid one in a plane for every phase of the
/// strides, so that every tap is a shift and its sum one inner product over all cells; cells the fixed map does not have
/// are zeros.
class ConvWeightGrad : public OperatorKernel {
 public:
  explicit ConvWeightGrad(const OperatorNode& node)
      : shape_(node.required_integers("shape")),
        strides_(pair(node, "strides", 1)),
        dilations_(pair(node, "dilations", 1)),
        pads_(pair(node, "pads", 0)) {
    if (shape_.size() != 4 || *std::min_element(shape_.begin(), shape_.end()) < 1 ||
        *std::max_element(shape_.begin() + 2, shape_.end()) > kMostStep) {
      node.fail("the attribute shape must be four numbers above 0, it is " + text_of(shape_));
    }
  }

  void compute(const Computation& computation) const override {
    const TensorView slid = computation.input(0);
    const TensorView fixed = computation.input(1);
    if (slid.dims.size() != 4 || fixed.dims.size() != 4 || slid.dims[0] != fixed.dims[0]) {
      refuse("the maps " + text_of(slid.dims) + " and " + text_of(fixed.dims) + " must have 4 axes and as many samples");
    }
    const std::int64_t groups = slid.dims[1] / shape_[1];
    if (fixed.dims[1] != shape_[0] || groups * shape_[1] != slid.dims[1] || groups == 0 || shape_[0] % groups != 0) {
      refuse("the maps " + text_of(slid.dims) + " and " + text_of(fixed.dims) + " do not fit weights " + text_of(shape_));
    }
    float* const sums = computation.output(0, shape_);
    if (sums == nullptr) return;
    std::fill_n(sums, element_count(shape_), 0.0F);
    if (element_count(shape_) == 0 || element_count(fixed.dims) == 0) return;
    Layout layout(*this, slid, fixed, groups, sums);
    for (const Chunk& chunk : layout.chunks()) layout.add(computation, chunk);
  }

 private:
  class Layout {
   public:
    Layout(const ConvWeightGrad& node, const TensorView& slid, const TensorView& fixed, std::int64_t groups, float* sums)
        : node_(node), slid_(slid), fixed_(fixed), groups_(groups), sums_(sums), phases_(node.strides_[0] * node.strides_[1]) {
      pitch_ = extent(1, fixed.dims[3]) - shared(1);
      for (std::int64_t y = 0; y < node.shape_[2]; ++y) {
        for (std::int64_t x = 0; x < node.shape_[3]; ++x) shift_phase_.push_back(tap(y, x));
      }
    }

    std::vector<Chunk> chunks() const {
      const std::int64_t samples = fixed_.dims[0];
      const std::int64_t rows = fixed_.dims[2];
      const std::int64_t cells = (extent(0, rows) - shared(0)) * pitch_;
      std::vector<Chunk> all;
      if (cells <= kCells) {
        const std::int64_t each = std::max<std::int64_t>(kCells / cells, 1);
        for (std::int64_t n = 0; n < samples; n += each) all.push_back({n, std::min(each, samples - n), 0, rows});
        return all;
      }
      const std::int64_t each = std::max<std::int64_t>(kCells / pitch_, 1);
      for (std::int64_t n = 0; n < samples; ++n) {
        for (std::int64_t y = 0; y < rows; y += each) all.push_back({n, 1, y, std::min(each, rows - y)});
      }
      return all;
    }

    void add(const Computation& computation, const Chunk& chunk) {
      const bool whole = chunk.rows == fixed_.dims[2];
      const std::int64_t sample = (extent(0, chunk.rows) - (whole ? shared(0) : 0)) * pitch_;
      const std::int64_t length = round_up(chunk.samples * sample, kWhole);
      const std::int64_t plane = length + furthest_shift() + kWhole;
      const std::int64_t fixed_channels = fixed_.dims[1];
      const std::int64_t slid_channels = slid_.dims[1];
      Scratch scratch(fixed_channels * length + slid_channels * phases_ * plane);
      float* const rows = scratch.data();
      float* const channels = rows + fixed_channels * length;
      const auto bytes = static_cast<std::int64_t>(2 * sizeof(float)) * length;
      computation.share(fixed_channels + slid_channels * phases_, bytes, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t item = begin; item < end; ++item) {
          if (item < fixed_channels) {
            lay_fixed(chunk, item, sample, length, rows + item * length);
          } else {
            const std::int64_t at = item - fixed_channels;
            lay_slid(chunk, at / phases_, at % phases_, sample, plane, channels + at * plane);
          }
        }
        return US_OK;
      });
      std::vector<std::int64_t> shifts;
      for (const auto& [phase, shift] : shift_phase_) shifts.push_back(phase * plane + shift);
      const TapProducts work{length,
                             fixed_channels / groups_,
                             slid_channels / groups_,
                             phases_ * plane,
                             static_cast<std::int64_t>(shifts.size()),
                             shifts.data(),
                             rows,
                             channels,
                             sums_};
      const auto& kernels = signal_kernels();
      const std::int64_t row_bytes = work.channels_per_group * work.taps * length;
      computation.share_in_steps(fixed_channels, kRowsAtOnce, row_bytes, [&](std::int64_t begin, std::int64_t end) {
        return kernels.tap_products(work, begin, end);
      });
    }

   private:
    /// Cells of the padded slid map between the first and the last tap of a window.
    std::int64_t reach(std::size_t axis) const { return (node_.shape_[2 + axis] - 1) * node_.dilations_[axis]; }

    /// Cells of a phase along an axis that so many windows see.
    std::int64_t extent(std::size_t axis, std::int64_t windows) const {
      const std::int64_t stride = node_.strides_[axis];
      return ceil_divide((windows - 1) * stride + reach(axis) + 1, stride);
    }

    /// Cells of padding that the end of a row or map and the beginning of the next one may be at once: zeros both.
    std::int64_t shared(std::size_t axis) const {
      if (node_.strides_[axis] != 1) return 0;
      const std::int64_t before = node_.pads_[axis];
      const std::int64_t after = extent(axis, fixed_.dims[2 + axis]) - before - slid_.dims[2 + axis];
      return std::max<std::int64_t>(std::min({before, after, reach(axis)}), 0);
    }

    std::pair<std::int64_t, std::int64_t> tap(std::int64_t y, std::int64_t x) const {
      const std::int64_t down = y * node_.dilations_[0];
      const std::int64_t right = x * node_.dilations_[1];
      const std::int64_t phase = down % node_.strides_[0] * node_.strides_[1] + right % node_.strides_[1];
      return {phase, down / node_.strides_[0] * pitch_ + right / node_.strides_[1]};
    }

    std::int64_t furthest_shift() const {
      std::int64_t furthest = 0;
      for (const auto& [phase, shift] : shift_phase_) furthest = std::max(furthest, shift);
      return furthest;
    }

    void lay_fixed(const Chunk& chunk, std::int64_t channel, std::int64_t sample, std::int64_t length, float* to) const {
      const std::int64_t height = fixed_.dims[2];
      const std::int64_t width = fixed_.dims[3];
      std::fill_n(to, length, 0.0F);
      for (std::int64_t n = 0; n < chunk.samples; ++n) {
        const std::int64_t map = (chunk.first_sample + n) * fixed_.dims[1] + channel;
        const float* const from = fixed_.data + (map * height + chunk.first_row) * width;
        for (std::int64_t y = 0; y < chunk.rows; ++y) {
          std::copy_n(from + y * width, width, to + n * sample + y * pitch_);
        }
      }
    }

    void lay_slid(const Chunk& chunk, std::int64_t channel, std::int64_t phase, std::int64_t sample, std::int64_t plane,
                  float* to) const {
      const std::int64_t height = slid_.dims[2];
      const std::int64_t width = slid_.dims[3];
      const std::int64_t step = node_.strides_[1];
      // Where row 0 and column 0 of the plane lie in the map; below 0 in its padding.
      const std::int64_t top = chunk.first_row * node_.strides_[0] + phase / step - node_.pads_[0];
      const std::int64_t left = phase % step - node_.pads_[1];
      const std::int64_t first = left >= 0 ? 0 : ceil_divide(-left, step);
      const std::int64_t last = left >= width ? 0 : std::min(pitch_, ceil_divide(width - left, step));
      std::fill_n(to, plane, 0.0F);
      for (std::int64_t n = 0; n < chunk.samples; ++n) {
        const std::int64_t map = (chunk.first_sample + n) * slid_.dims[1] + channel;
        for (std::int64_t y = 0; y < sample / pitch_; ++y) {
          const std::int64_t row = top + y * node_.strides_[0];
          if (row < 0 || row >= height || last <= first) continue;
          const float* const from = slid_.data + (map * height + row) * width + left;
          float* const into = to + n * sample + y * pitch_;
          if (step == 1) {
            std::copy_n(from + first, last - first, into + first);
          } else {
            for (std::int64_t x = first; x < last; ++x) into[x] = from[x * step];
          }
        }
      }
    }

    const ConvWeightGrad& node_;
    const TensorView& slid_;
    const TensorView& fixed_;
    std::int64_t groups_;
    float* sums_;
    std::int64_t phases_;
    std::int64_t pitch_ = 0;
    /// Of every tap: in which phase's plane it lies, and how far along.
    std::vector<std::pair<std::int64_t, std::int64_t>> shift_phase_;
  };

  static Dims pair(const OperatorNode& node, const char* name, std::int64_t least) {
    Dims values = node.required_integers(name);
    const bool fits = values.size() == 2 && *std::min_element(values.begin(), values.end()) >= least &&
                      *std::max_element(values.begin(), values.end()) <= kMostStep;
    if (!fits) {
      node.fail(std::string("the attribute ") + name + " must be two numbers from " + std::to_string(least) + " on, it is " +
                text_of(values));
    }
    return values;
  }

  Dims shape_;
  Dims strides_;
  Dims dilations_;
  Dims pads_;
};

void infer(const ShapeInference& inference) {
  const auto shape = inference.integers("shape");
  if (shape.has_value() && shape->size() == 4) inference.set_output(0, {*shape, std::vector<std::string>(4)});
}

}  // namespace

const OperatorDefinition conv_weight_grad{
    "ConvWeightGrad",
    {2, false},
    {1, false},
    [](const OperatorNode& node) -> std::unique_ptr<OperatorKernel> { return std::make_unique<ConvWeightGrad>(node); },
    &infer,
    nullptr,
};

}  // namespace us::ort
