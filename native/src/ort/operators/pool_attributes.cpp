#include "ort/operators/pool_attributes.hpp"

#include <limits>

#include "ort/computation.hpp"

namespace us::ort {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();

/// One size per spatial axis of an attribute, the last of them at [1].
void read_sizes(const OperatorNode& node, const char* name, const Dims& values, std::size_t offset, std::size_t axes,
                std::int32_t (&into)[2]) {
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const std::int64_t value = values[offset + axis];
    if (value < 0 || value > kLargest) {
      node.fail(std::string("the attribute ") + name + " is out of range: " + text_of(values));
    }
    into[2 - axes + axis] = static_cast<std::int32_t>(value);
  }
}

Dims sizes_or(const OperatorNode& node, const char* name, std::size_t count, std::int64_t otherwise) {
  Dims values = node.integers(name).value_or(Dims(count, otherwise));
  if (values.size() != count) {
    const std::string expected = " must have " + std::to_string(count) + " numbers, it is ";
    node.fail(std::string("the attribute ") + name + expected + text_of(values));
  }
  return values;
}

}  // namespace

PoolAttributes::PoolAttributes(const OperatorNode& node) {
  const Dims kernel = node.required_integers("kernel_shape");
  axes_ = kernel.size();
  if (axes_ != 1 && axes_ != 2) {
    node.fail("the kernel_shape " + text_of(kernel) + " must have one or two axes, there is no pooling over others");
  }
  if (node.text("auto_pad").value_or("NOTSET") != "NOTSET") node.fail("auto_pad is not handled; give the pads");
  ceil_mode_ = node.integer("ceil_mode").value_or(0) != 0 ? 1 : 0;
  // A missing first axis is one of a single cell.
  params_.kernel[0] = params_.stride[0] = params_.dilation[0] = 1;
  const Dims pads = sizes_or(node, "pads", 2 * axes_, 0);
  read_sizes(node, "kernel_shape", kernel, 0, axes_, params_.kernel);
  read_sizes(node, "strides", sizes_or(node, "strides", axes_, 1), 0, axes_, params_.stride);
  read_sizes(node, "dilations", sizes_or(node, "dilations", axes_, 1), 0, axes_, params_.dilation);
  read_sizes(node, "pads", pads, 0, axes_, params_.pad_begin);
  read_sizes(node, "pads", pads, axes_, axes_, params_.pad_end);
}

us_pool2d_params PoolAttributes::params(const Dims& x, const Dims& y, std::int64_t channels) const {
  if (x.size() != axes_ + 2) {
    refuse("x " + text_of(x) + " must have " + std::to_string(axes_ + 2) + " axes for this kernel_shape");
  }
  require_blocks("x", x, channels);
  us_pool2d_params params = params_;
  params.planes = x[0] * (x[1] / channels);
  const std::int64_t height = axes_ == 2 ? x[2] : 1;
  const std::int64_t width = x.back();
  if (height > kLargest || width > kLargest) refuse("x " + text_of(x) + " is too large");
  params.height = static_cast<std::int32_t>(height);
  params.width = static_cast<std::int32_t>(width);
  if (us_pool2d_output_size(&params, ceil_mode_) != US_OK) refuse("x " + text_of(x) + ": " + us_last_error_message());
  Dims expected{x[0], x[1], params.out_width};
  if (axes_ == 2) expected.insert(expected.begin() + 2, params.out_height);
  if (y != expected) refuse("y is " + text_of(y) + ", the pooling of x " + text_of(x) + " is " + text_of(expected));
  return params;
}

}  // namespace us::ort
