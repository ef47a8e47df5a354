#include "pooling_reference.hpp"

#include <cmath>

namespace {

/// The index in the plane of a window's cell, or -1 in the padding.
long cell_index(const us_pool2d_params& params, int window_row, int window_column, int r, int c) {
  const long row = static_cast<long>(window_row) * params.stride[0] - params.pad_begin[0] + static_cast<long>(r) * params.dilation[0];
  const long column =
      static_cast<long>(window_column) * params.stride[1] - params.pad_begin[1] + static_cast<long>(c) * params.dilation[1];
  if (row < 0 || column < 0 || row >= params.height || column >= params.width) return -1;
  return row * params.width + column;
}

}  // namespace

PooledReference reference_max_pool(const us_pool2d_params& params, const std::vector<float>& x) {
  PooledReference result;
  const long plane_size = static_cast<long>(params.height) * params.width;
  for (long plane = 0; plane < params.planes; ++plane) {
    for (int row = 0; row < params.out_height; ++row) {
      for (int column = 0; column < params.out_width; ++column) {
        int winner = -1;
        double best = 0;
        for (int cell = 0; cell < params.kernel[0] * params.kernel[1]; ++cell) {
          const long at = cell_index(params, row, column, cell / params.kernel[1], cell % params.kernel[1]);
          if (at < 0) continue;
          const auto value = static_cast<double>(x[static_cast<std::size_t>(plane * plane_size + at)]);
          const bool larger = std::isnan(value) ? !std::isnan(best) : value > best;
          if (winner < 0 || larger) {
            winner = cell;
            best = value;
          }
        }
        result.maxima.push_back(best);
        result.switches.push_back(static_cast<std::uint8_t>(winner));
      }
    }
  }
  return result;
}

SumReference reference_unpool(const us_pool2d_params& params, bool overwrite, const std::vector<float>& y,
                              const std::vector<std::uint8_t>& switches) {
  const long plane_size = static_cast<long>(params.height) * params.width;
  const auto size = static_cast<std::size_t>(params.planes * plane_size);
  SumReference result{std::vector<double>(size), std::vector<double>(size), std::vector<int>(size)};
  std::size_t window = 0;
  for (long plane = 0; plane < params.planes; ++plane) {
    for (int row = 0; row < params.out_height; ++row) {
      for (int column = 0; column < params.out_width; ++column, ++window) {
        const int cell = switches[window];
        const long at = cell_index(params, row, column, cell / params.kernel[1], cell % params.kernel[1]);
        const auto target = static_cast<std::size_t>(plane * plane_size + at);
        const auto value = static_cast<double>(y[window]);
        result.sums[target] = overwrite ? value : result.sums[target] + value;
        result.magnitudes[target] += std::fabs(value);
        result.terms[target] = overwrite ? 1 : result.terms[target] + 1;
      }
    }
  }
  return result;
}

float reference_signal(us_signal_rule rule, float signal, float x) {
  const bool active = x > 0;
  const float rectified = signal > 0 || std::isnan(signal) ? signal : 0;
  switch (rule) {
    case US_SIGNAL_RULE_GRADIENT:
      return active ? signal : 0;
    case US_SIGNAL_RULE_GUIDED:
      return active ? rectified : 0;
    case US_SIGNAL_RULE_DECONVNET:
      return rectified;
    default:
      return signal;
  }
}
