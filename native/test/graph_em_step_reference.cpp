#include "graph_em_step_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace {

constexpr double kPi = 3.14159265358979323846;

double gaussian(double squared, double deviation) {
  return std::exp(-squared / (2 * deviation * deviation)) / (std::sqrt(2 * kPi) * deviation);
}

double offset_of(int radius, int candidate) { return radius * (2 * candidate - 5) / 6.0; }

/// E at one candidate of a window around a cell.
double smooth(const us_graph_params& p, const float* map, double row, double column, int radius, int a, int b) {
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) {
    for (int j = -radius; j <= radius; ++j) {
      const double y = std::floor(row + 0.5) + i;
      const double x = std::floor(column + 0.5) + j;
      if (!(y >= 0 && y < p.height && x >= 0 && x < p.width)) continue;
      const auto line = static_cast<std::size_t>(y) * static_cast<std::size_t>(p.width);
      const std::size_t cell = line + static_cast<std::size_t>(x);
      const auto value = static_cast<double>(map[cell]);
      const double squared = std::pow(offset_of(radius, a) - i, 2) + std::pow(offset_of(radius, b) - j, 2);
      sum += gaussian(std::min(squared, 9 * p.smoothing * p.smoothing), p.smoothing) * (value <= 0 ? 0 : value);
    }
  }
  return sum;
}

/// The bin of a node that holds t, or -1: the number of inner edges below it.
int bin_of(double t, int radius) {
  if (!(std::fabs(t) <= 5 * radius)) return -1;
  int bin = 0;
  for (int edge = 1; edge <= 5; ++edge) bin += t > 2 * radius * (edge - 3) ? 1 : 0;
  return bin;
}

}  // namespace

int reference_radius(const us_graph_params& params, double sigma) {
  return static_cast<int>(std::floor(std::min(params.range, 3 * sigma) + 0.5));
}

GraphResults reference_graph_em_step(const GraphInputs& in) {
  const us_graph_params& p = in.params;
  const auto nodes = static_cast<std::size_t>(p.nodes);
  const auto total = static_cast<std::size_t>(p.channels) * nodes;
  const auto images = static_cast<std::size_t>(p.images);
  const std::size_t cells = static_cast<std::size_t>(p.height) * static_cast<std::size_t>(p.width);
  GraphResults out;
  out.sums.assign(total * US_GRAPH_SUMS, 0);
  out.magnitudes.assign(total * US_GRAPH_SUMS, 0);
  std::vector<int> radius(total);
  for (std::size_t n = 0; n < total; ++n) radius[n] = reference_radius(p, in.sigma[n]);
  for (std::size_t image = 0; image < images; ++image) {
    const auto centre = [&](std::size_t n, std::size_t axis) {
      const double shift =
          in.prior_offset.empty() ? 0 : static_cast<double>(in.prior_offset[2 * (image * total + n) + axis]);
      return in.coord[2 * n + axis] + shift;
    };
    const auto prob = [&](std::size_t n, int a, int b) {
      const double weight = in.prior_weight.empty() ? 1 : static_cast<double>(in.prior_weight[image * total + n]);
      return weight * gaussian(std::pow(offset_of(radius[n], a), 2), in.prior_sigma[n]) *
             gaussian(std::pow(offset_of(radius[n], b), 2), in.prior_sigma[n]);
    };
    double all = 0;
    for (std::size_t n = 0; n < total; ++n) {
      for (int c = 0; c < 36; ++c) all += prob(n, c / 6, c % 6);
    }
    const double tau = total == 0 ? 0 : p.tau * all / static_cast<double>(total);
    out.tau_of_image.push_back(tau);
    for (std::size_t n = 0; n < total; ++n) {
      const std::size_t channel = n / nodes;
      const float* map = in.x.data() + (image * static_cast<std::size_t>(p.channels) + channel) * cells;
      out.centres.push_back(centre(n, 0));
      out.centres.push_back(centre(n, 1));
      for (int c = 0; c < 36; ++c) {
        const int a = c / 6;
        const int b = c % 6;
        double there = tau;
        for (std::size_t other = channel * nodes; other < (channel + 1) * nodes; ++other) {
          const int row = bin_of(6 * (centre(n, 0) - centre(other, 0)) + radius[n] * (2 * a - 5), radius[other]);
          const int column = bin_of(6 * (centre(n, 1) - centre(other, 1)) + radius[n] * (2 * b - 5), radius[other]);
          if (row >= 0 && column >= 0) there += prob(other, row, column);
        }
        const double evidence = smooth(p, map, centre(n, 0), centre(n, 1), radius[n], a, b);
        const double responsible = prob(n, a, b) / std::max(there, 1e-7) * evidence;
        const double product = prob(n, a, b) * evidence;
        out.products.push_back(product);
        const double variance = in.prior_sigma[n] * in.prior_sigma[n];
        const double terms[US_GRAPH_SUMS] = {responsible, responsible * offset_of(radius[n], a) / variance,
                                             responsible * offset_of(radius[n], b) / variance, product,
                                             product * (std::pow(a - 2.5, 2) + std::pow(b - 2.5, 2))};
        for (std::size_t i = 0; i < US_GRAPH_SUMS; ++i) {
          out.sums[n * US_GRAPH_SUMS + i] += terms[i];
          out.magnitudes[n * US_GRAPH_SUMS + i] += std::fabs(terms[i]);
        }
      }
    }
  }
  return out;
}
