#pragma once

#include <cmath>
#include <cstdint>

#include "device.cuh"

namespace us::cuda {

/// Pooling along one axis, as a kernel takes it.
struct Axis {
  int size;
  int out_size;
  int kernel;
  int stride;
  int pad;
  int dilation;
};

struct Pooling {
  std::int64_t planes;
  Axis y;
  Axis x;
};

inline Pooling pooling_of(const us_pool2d_params& params) {
  return {params.planes,
          {params.height, params.out_height, params.kernel[0], params.stride[0], params.pad_begin[0], params.dilation[0]},
          {params.width, params.out_width, params.kernel[1], params.stride[1], params.pad_begin[1], params.dilation[1]}};
}

/// The number of an element of [planes, height, width] taken apart; the one division in 64 bits.
struct Place {
  std::int64_t plane;
  int row;
  int column;

  __device__ Place(std::int64_t index, int height, int width) {
    const std::int64_t size = static_cast<std::int64_t>(height) * width;
    plane = index / size;
    const std::int64_t inside = index - plane * size;
    row = static_cast<int>(inside / width);
    column = static_cast<int>(inside - static_cast<std::int64_t>(row) * width);
  }

  __device__ void step(int height, int width) {
    if (++column < width) return;
    column = 0;
    if (++row < height) return;
    row = 0;
    ++plane;
  }
};

/// Where a window starts; may lie in the padding. In 64 bits, since the last window times the stride may not fit 32.
__device__ inline std::int64_t start_of(const Axis& axis, int window) {
  return static_cast<std::int64_t>(window) * axis.stride - axis.pad;
}

struct Maximum {
  float value;
  int cell;
};

/// The maximum of a window and where it is: the first in row-major order, or the first NaN. Padding never wins.
/// KERNEL is the kernel's width and height where both are known to the compiler, else 0.
template <int KERNEL>
__device__ inline Maximum find_maximum(const Pooling& pooling, const float* plane, int window_row, int window_column) {
  const int rows = KERNEL > 0 ? KERNEL : pooling.y.kernel;
  const int columns = KERNEL > 0 ? KERNEL : pooling.x.kernel;
  const std::int64_t top = start_of(pooling.y, window_row);
  const std::int64_t left = start_of(pooling.x, window_column);
  Maximum best{-INFINITY, -1};
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    const std::int64_t row = top + static_cast<std::int64_t>(r) * pooling.y.dilation;
    if (row < 0 || row >= pooling.y.size) continue;
    const float* const from = plane + row * pooling.x.size;
#pragma unroll
    for (int c = 0; c < columns; ++c) {
      const std::int64_t column = left + static_cast<std::int64_t>(c) * pooling.x.dilation;
      if (column < 0 || column >= pooling.x.size) continue;
      const float value = __ldg(from + column);
      const bool first = best.cell < 0;
      if (first || (!(value <= best.value) && best.value == best.value)) best = {value, r * columns + c};
    }
  }
  return best;
}

/// The windows that hold a cell, along one axis: window `last` down to `first`, where those are cells of the kernel.
struct Holders {
  int first;
  int last;

  __device__ Holders(const Axis& axis, int at) {
    const std::int64_t padded = static_cast<std::int64_t>(at) + axis.pad;
    const std::int64_t reach = static_cast<std::int64_t>(axis.kernel - 1) * axis.dilation;
    const std::int64_t begin = padded > reach ? (padded - reach + axis.stride - 1) / axis.stride : 0;
    const std::int64_t end = padded / axis.stride;
    first = static_cast<int>(begin);
    last = static_cast<int>(end < axis.out_size ? end : axis.out_size - 1);
  }

  /// Which cell of the window `at` is, or -1 where dilation steps over it.
  static __device__ int cell(const Axis& axis, int window, int at) {
    const std::int64_t inside = at - start_of(axis, window);
    return inside % axis.dilation == 0 ? static_cast<int>(inside / axis.dilation) : -1;
  }
};

/// What a cell of the unpooled plane collects, in row-major order of the windows, so that the sum is bit for bit that of
/// the CPU. `switch_at(window_row, window_column)` and `value_at(...)` read a window's switch and value.
template <bool ACCUMULATE, typename SwitchAt, typename ValueAt>
__device__ inline float collect(const Pooling& pooling, int row, int column, SwitchAt switch_at, ValueAt value_at) {
  const Holders rows(pooling.y, row);
  const Holders columns(pooling.x, column);
  float sum = 0;
  for (int window_row = rows.first; window_row <= rows.last; ++window_row) {
    const int r = Holders::cell(pooling.y, window_row, row);
    if (r < 0) continue;
    for (int window_column = columns.first; window_column <= columns.last; ++window_column) {
      const int c = Holders::cell(pooling.x, window_column, column);
      if (c < 0 || switch_at(window_row, window_column) != r * pooling.x.kernel + c) continue;
      const float value = value_at(window_row, window_column);
      sum = ACCUMULATE ? sum + value : value;
    }
  }
  return sum;
}

/// What the rule lets through of a finished sum; see us_signal_rule. `x_at()` reads the pooling's input.
template <typename XAt>
__device__ inline float apply_rule(us_signal_rule rule, float sum, XAt x_at) {
  const bool masks = rule == US_SIGNAL_RULE_GRADIENT || rule == US_SIGNAL_RULE_GUIDED;
  const bool rectifies = rule == US_SIGNAL_RULE_GUIDED || rule == US_SIGNAL_RULE_DECONVNET;
  if (rectifies && sum <= 0) return 0;
  if (masks && !(x_at() > 0)) return 0;
  return sum;
}

}  // namespace us::cuda
