#include "core/pool2d.hpp"

#include <limits>

#include "core/checks.hpp"
#include "core/error.hpp"
#include "core/spans.hpp"

namespace us {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 53;
// Keeps the check of the windows that start in the padding short.
constexpr std::int64_t kMaxPad = 1 << 24;
constexpr const char* kAxisNames[2] = {"height", "width"};

us_status check_axis(const char* name, const PoolAxis& axis, std::int64_t pad_end) {
  if (axis.size < 1) return fail(US_INVALID_ARGUMENT, "%s must be at least 1, it is %lld", name, (long long)axis.size);
  if (axis.kernel < 1 || axis.stride < 1 || axis.dilation < 1) {
    return fail(US_INVALID_ARGUMENT, "kernel, stride and dilation along the %s must be at least 1, they are %lld, %lld, %lld",
                name, (long long)axis.kernel, (long long)axis.stride, (long long)axis.dilation);
  }
  if (axis.pad < 0 || pad_end < 0 || axis.pad > kMaxPad || pad_end > kMaxPad) {
    return fail(US_INVALID_ARGUMENT, "pads along the %s must be 0 to %lld, they are %lld and %lld", name,
                (long long)kMaxPad, (long long)axis.pad, (long long)pad_end);
  }
  return US_OK;
}

std::int64_t slack_of(const PoolAxis& axis, std::int64_t pad_end) {
  return axis.size + axis.pad + pad_end - axis.dilation * (axis.kernel - 1) - 1;
}

us_status check_windows(const char* name, const PoolAxis& axis, std::int64_t pad_end) {
  const std::int64_t slack = slack_of(axis, pad_end);
  if (slack < 0) {
    const long long padded = axis.size + axis.pad + pad_end;
    return fail(US_INVALID_ARGUMENT, "no window fits: along the %s a kernel of %lld with dilation %lld is larger than %lld padded cells",
                name, (long long)axis.kernel, (long long)axis.dilation, padded);
  }
  const std::int64_t low = slack / axis.stride + 1;
  const std::int64_t high = ceil_divide(slack, axis.stride) + 1;
  if (axis.out_size != low && axis.out_size != high) {
    return fail(US_INVALID_ARGUMENT, "output %s %lld does not belong to this pooling, which gives %lld, or %lld with ceil_mode",
                name, (long long)axis.out_size, (long long)low, (long long)high);
  }
  for (std::int64_t window = 0; window < axis.out_size; ++window) {
    if (axis.start(window) >= 0 && axis.start(window) < axis.size) {
      // All windows up to the last one that starts on the plane hold their own first cell.
      window = (axis.size - 1 + axis.pad) / axis.stride;
      continue;
    }
    if (axis.first(window) >= axis.last(window)) {
      return fail(US_INVALID_ARGUMENT, "window %lld along the %s lies wholly in the padding; make the pads smaller than the kernel",
                  (long long)window, name);
    }
  }
  return US_OK;
}

us_status check_pool2d(const us_pool2d_params* params) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  if (params->planes < 0) {
    return fail(US_INVALID_ARGUMENT, "planes must not be negative, it is %lld", (long long)params->planes);
  }
  const PoolAxes axes = pool_axes(*params);
  const PoolAxis* both[2] = {&axes.y, &axes.x};
  for (int axis = 0; axis < 2; ++axis) {
    const us_status status = check_axis(kAxisNames[axis], *both[axis], params->pad_end[axis]);
    if (status != US_OK) return status;
  }
  if (axes.y.kernel * axes.x.kernel > US_MAX_WINDOW_CELLS) {
    return fail(US_INVALID_ARGUMENT, "a window of %lld x %lld cells has no one-byte switches; at most %d cells are possible",
                (long long)axes.y.kernel, (long long)axes.x.kernel, US_MAX_WINDOW_CELLS);
  }
  for (int axis = 0; axis < 2; ++axis) {
    const us_status status = check_windows(kAxisNames[axis], *both[axis], params->pad_end[axis]);
    if (status != US_OK) return status;
  }
  const std::int64_t cells = axes.y.size * axes.x.size;
  const std::int64_t windows = axes.y.out_size * axes.x.out_size;
  const std::int64_t larger = cells > windows ? cells : windows;
  if (params->planes > kMaxElements / larger) {
    return fail(US_INVALID_ARGUMENT, "%lld planes of %lld cells are more elements than can be counted",
                (long long)params->planes, (long long)larger);
  }
  return US_OK;
}

struct Counts {
  std::int64_t cells;
  std::int64_t windows;
};

Counts counts_of(const us_pool2d_params& params) {
  return {params.planes * params.height * params.width, params.planes * params.out_height * params.out_width};
}

constexpr std::int64_t kFloat = sizeof(float);

}  // namespace

PoolAxes pool_axes(const us_pool2d_params& params) {
  return {{params.height, params.out_height, params.kernel[0], params.stride[0], params.pad_begin[0], params.dilation[0]},
          {params.width, params.out_width, params.kernel[1], params.stride[1], params.pad_begin[1], params.dilation[1]}};
}

std::int64_t find_bad_switch(const PoolAxes& axes, std::int64_t window_row, const std::uint8_t* switches) {
  const std::int64_t width = axes.x.out_size;
  const std::int64_t kernel = axes.x.kernel;
  const auto low = static_cast<std::uint8_t>(axes.y.first(window_row) * kernel);
  const auto high = static_cast<std::uint8_t>(axes.y.last(window_row) * kernel - 1);
  // One pass without branches decides the common case; it vectorises.
  std::uint8_t bad = 0;
  for (std::int64_t column = 0; column < width; ++column) {
    bad = static_cast<std::uint8_t>(bad | (switches[column] < low ? 1 : 0) | (switches[column] > high ? 1 : 0));
  }
  const auto is_bad = [&](std::int64_t column) {
    const std::int64_t cell = switches[column] % kernel;
    return switches[column] < low || switches[column] > high || cell < axes.x.first(column) || cell >= axes.x.last(column);
  };
  if (bad != 0) {
    for (std::int64_t column = 0; column < width; ++column) {
      if (is_bad(column)) return column;
    }
  }
  // Only windows that reach over an edge can have a switch in the padding.
  const std::int64_t reach = axes.x.dilation * (kernel - 1);
  for (std::int64_t column = 0; column < width && axes.x.start(column) < 0; ++column) {
    if (is_bad(column)) return column;
  }
  for (std::int64_t column = width - 1; column >= 0 && axes.x.start(column) + reach >= axes.x.size; --column) {
    if (is_bad(column)) return column;
  }
  return -1;
}

us_status bad_switch(const PoolAxes& axes, std::int64_t plane, std::int64_t window_row, std::int64_t window_column,
                     std::uint8_t value) {
  return fail(US_BAD_INPUT, "switch %d of window (%lld, %lld) in plane %lld is no cell of the plane: the window has %lld x %lld cells",
              value, (long long)window_row, (long long)window_column, (long long)plane, (long long)axes.y.kernel,
              (long long)axes.x.kernel);
}

us_status check_max_pool(const us_pool2d_params* params, const float* x, float* y, uint8_t* switches) {
  const us_status status = check_pool2d(params);
  if (status != US_OK) return status;
  const Counts counts = counts_of(*params);
  return check_array_spans<3>({{"x", x, counts.cells * kFloat, false},
                         {"y", y, counts.windows * kFloat, true},
                         {"switches", switches, counts.windows, true}});
}

us_status check_unpool(const us_pool2d_params* params, us_unpool_mode mode, us_signal_rule rule, const float* y,
                       const uint8_t* switches, float* x) {
  if (mode != US_UNPOOL_ACCUMULATE && mode != US_UNPOOL_OVERWRITE) {
    return fail(US_INVALID_ARGUMENT, "unpool mode %d is unknown; there are 0 (accumulate) and 1 (overwrite)", (int)mode);
  }
  if (rule != US_SIGNAL_RULE_NONE && rule != US_SIGNAL_RULE_DECONVNET) {
    return fail(US_INVALID_ARGUMENT, "unpool has no signal rule %d, only 0 (none) and 3 (deconvnet); the others need x: max_pool_backward",
                (int)rule);
  }
  const us_status status = check_pool2d(params);
  if (status != US_OK) return status;
  const Counts counts = counts_of(*params);
  return check_array_spans<3>({{"y", y, counts.windows * kFloat, false},
                         {"switches", switches, counts.windows, false},
                         {"x", x, counts.cells * kFloat, true}});
}

us_status check_max_pool_backward(const us_pool2d_params* params, us_signal_rule rule, const float* x, const float* dy,
                                  float* dx) {
  if (rule < US_SIGNAL_RULE_NONE || rule > US_SIGNAL_RULE_DECONVNET) {
    return fail(US_INVALID_ARGUMENT, "signal rule %d is unknown; there are 0 (none), 1 (gradient), 2 (guided), 3 (deconvnet)",
                (int)rule);
  }
  const us_status status = check_pool2d(params);
  if (status != US_OK) return status;
  const Counts counts = counts_of(*params);
  return check_array_spans<3>({{"x", x, counts.cells * kFloat, false},
                         {"dy", dy, counts.windows * kFloat, false},
                         {"dx", dx, counts.cells * kFloat, true}});
}

}  // namespace us

us_status us_pool2d_output_size(us_pool2d_params* params, int32_t ceil_mode) {
  if (params == nullptr) return us::fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const us::PoolAxes axes = us::pool_axes(*params);
  const us::PoolAxis* both[2] = {&axes.y, &axes.x};
  int32_t* results[2] = {&params->out_height, &params->out_width};
  for (int i = 0; i < 2; ++i) {
    us::PoolAxis axis = *both[i];
    const us_status status = us::check_axis(us::kAxisNames[i], axis, params->pad_end[i]);
    if (status != US_OK) return status;
    const std::int64_t slack = us::slack_of(axis, params->pad_end[i]);
    std::int64_t size = us::floor_divide(slack, axis.stride) + 1;
    if (ceil_mode != 0 && slack >= 0) {
      size = us::ceil_divide(slack, axis.stride) + 1;
      if (axis.start(size - 1) >= axis.size) --size;
    }
    axis.out_size = size;
    const us_status windows = us::check_windows(us::kAxisNames[i], axis, params->pad_end[i]);
    if (windows != US_OK) return windows;
    if (size > std::numeric_limits<std::int32_t>::max()) {
      return us::fail(US_INVALID_ARGUMENT, "output %s %lld does not fit 32 bits", us::kAxisNames[i], (long long)size);
    }
    *results[i] = static_cast<std::int32_t>(size);
  }
  return US_OK;
}

us_status us_pool2d_check_switches(const us_pool2d_params* params, const uint8_t* switches) {
  const us_status status = us::check_pool2d(params);
  if (status != US_OK) return status;
  const us::PoolAxes axes = us::pool_axes(*params);
  if (params->planes > 0 && switches == nullptr) return us::fail(US_INVALID_ARGUMENT, "switches must not be NULL");
  for (std::int64_t plane = 0; plane < params->planes; ++plane) {
    for (std::int64_t row = 0; row < axes.y.out_size; ++row, switches += axes.x.out_size) {
      const std::int64_t column = us::find_bad_switch(axes, row, switches);
      if (column >= 0) return us::bad_switch(axes, plane, row, column, switches[column]);
    }
  }
  return US_OK;
}
