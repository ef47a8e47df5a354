#pragma once

#include "ort/operator_node.hpp"
#include "unitscope/pool2d.h"

namespace us::ort {

/// The attributes of a MaxPool of one or two spatial axes, and the geometry they make of an input.
class PoolAttributes {
 public:
  /// Throws Failure.
  explicit PoolAttributes(const OperatorNode& node);

  /// The pooling of x [N, C, H, W] or [N, C, W]; `channels` of C make a plane. Throws Failure where the window does not
  /// fit the dims, or where y is not what the pooling gives.
  us_pool2d_params params(const Dims& x, const Dims& y, std::int64_t channels) const;

 private:
  std::size_t axes_;
  us_pool2d_params params_{};
  std::int32_t ceil_mode_;
};

}  // namespace us::ort
