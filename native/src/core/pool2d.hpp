#pragma once

#include <cstdint>

#include "unitscope/pool2d.h"

namespace us {

// Always inlined, because these are also compiled for instruction sets that the processor may lack: a shared copy of one
// must not come from there (see cpu/isa.hpp).
[[gnu::always_inline]] inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
[[gnu::always_inline]] inline std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return -floor_divide(-a, b); }

/// Pooling along one axis, in 64 bits, so that no product of two sizes overflows.
struct PoolAxis {
  std::int64_t size;
  std::int64_t out_size;
  std::int64_t kernel;
  std::int64_t stride;
  std::int64_t pad;
  std::int64_t dilation;

  [[gnu::always_inline]] std::int64_t start(std::int64_t window) const { return window * stride - pad; }

  /// The first kernel index of the window that lies on the plane.
  [[gnu::always_inline]] std::int64_t first(std::int64_t window) const {
    const std::int64_t at = start(window);
    return at < 0 ? ceil_divide(-at, dilation) : 0;
  }

  /// One past the last kernel index of the window that lies on the plane.
  [[gnu::always_inline]] std::int64_t last(std::int64_t window) const {
    // Almost every window: spares the division.
    if (start(window) + (kernel - 1) * dilation < size) return kernel;
    const std::int64_t end = ceil_divide(size - start(window), dilation);
    return end < kernel ? end : kernel;
  }
};

struct PoolAxes {
  PoolAxis y;
  PoolAxis x;
};

PoolAxes pool_axes(const us_pool2d_params& params);

/// The first window of an output row whose switch is outside the window or the plane, or -1.
std::int64_t find_bad_switch(const PoolAxes& axes, std::int64_t window_row, const std::uint8_t* switches);

us_status bad_switch(const PoolAxes& axes, std::int64_t plane, std::int64_t window_row, std::int64_t window_column,
                     std::uint8_t value);

}  // namespace us
