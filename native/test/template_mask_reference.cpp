#include "template_mask_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace {

int distance_between(int size, int a, int b) { return std::abs(a / size - b / size) + std::abs(a % size - b % size); }

/// Calls body(map, channel, cell, index) for every cell of every map.
template <typename Body>
void for_each_cell(const us_mask_params& params, Body body) {
  std::size_t index = 0;
  std::size_t map = 0;
  for (std::int64_t image = 0; image < params.batch; ++image) {
    for (std::int64_t channel = 0; channel < params.channels; ++channel, ++map) {
      for (int cell = 0; cell < params.size * params.size; ++cell, ++index) {
        body(map, static_cast<std::size_t>(channel), cell, index);
      }
    }
  }
}

int centroid_along(const us_mask_params& params, const float* map, bool rows) {
  double weighted = 0;
  double total = 0;
  for (int cell = 0; cell < params.size * params.size; ++cell) {
    const auto value = static_cast<double>(map[cell]);
    weighted += value * (1 + (rows ? cell / params.size : cell % params.size));
    total += value;
  }
  const double rounded = std::floor(weighted / std::max(total, 1e-9) + 0.5);
  if (std::isnan(rounded)) return 0;
  return static_cast<int>(std::min(std::max(rounded, 1.0), static_cast<double>(params.size))) - 1;
}

int argmax(const float* map, int cells) {
  for (int cell = 0; cell < cells; ++cell) {
    if (std::isnan(map[cell])) return cell;
  }
  return static_cast<int>(std::max_element(map, map + cells) - map);
}

}  // namespace

double reference_template(int size, double height, double beta, int mu, int cell) {
  return height * std::max(1 - beta * distance_between(size, mu, cell) / size, -1.0);
}

std::vector<std::int32_t> reference_locations(const us_mask_params& params, us_mask_location location,
                                              const std::vector<float>& x) {
  std::vector<std::int32_t> locations;
  const int cells = params.size * params.size;
  for (std::int64_t map = 0; map < params.batch * params.channels; ++map) {
    const float* const from = x.data() + map * cells;
    locations.push_back(location == US_MASK_ARGMAX
                            ? argmax(from, cells)
                            : centroid_along(params, from, true) * params.size + centroid_along(params, from, false));
  }
  return locations;
}

MaskReference reference_mask(const us_mask_params& params, const std::vector<float>& x, const std::vector<float>& beta,
                             const std::vector<std::int32_t>& mu) {
  MaskReference result;
  for_each_cell(params, [&](std::size_t map, std::size_t channel, int cell, std::size_t index) {
    const auto slope = static_cast<double>(beta[channel]);
    const auto height = static_cast<double>(params.height);
    const auto value = static_cast<double>(x[index]);
    const double product = value * reference_template(params.size, height, slope, mu[map], cell);
    result.values.push_back(product <= 0 ? 0 : product);
    result.magnitudes.push_back(std::fabs(value) * height *
                                (1 + slope * distance_between(params.size, mu[map], cell) / params.size));
  });
  return result;
}

MaskReference reference_mask_backward(const us_mask_params& params, const std::vector<float>& dy, const std::vector<float>& x,
                                      const std::vector<float>& beta, const std::vector<std::int32_t>& mu) {
  MaskReference result;
  for_each_cell(params, [&](std::size_t map, std::size_t channel, int cell, std::size_t index) {
    const auto slope = static_cast<double>(beta[channel]);
    const auto height = static_cast<double>(params.height);
    const double value = reference_template(params.size, height, slope, mu[map], cell);
    const double gate = x.empty() ? value : value * static_cast<double>(x[index]);
    const auto signal = static_cast<double>(dy[index]);
    result.values.push_back(gate <= 0 ? 0 : signal * value);
    result.magnitudes.push_back(std::fabs(signal) * height *
                                (1 + slope * distance_between(params.size, mu[map], cell) / params.size));
  });
  return result;
}
