#include "mutual_information_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Sizes {
  explicit Sizes(const us_mi_params& params)
      : batch(static_cast<std::size_t>(params.batch)),
        channels(static_cast<std::size_t>(params.channels)),
        cells(static_cast<std::size_t>(params.size) * static_cast<std::size_t>(params.size)) {}
  std::size_t batch, channels, cells;
  std::size_t templates() const { return cells + 1; }
};

double height(const us_mi_params& params, std::size_t t, std::size_t cell) {
  const int n = params.size;
  if (t == static_cast<std::size_t>(n) * static_cast<std::size_t>(n)) return -params.tau;
  const int mu = static_cast<int>(t);
  const int at = static_cast<int>(cell);
  const int distance = std::abs(mu / n - at / n) + std::abs(mu % n - at % n);
  return params.tau * std::max(1 - params.beta * distance / n, -1.0);
}

double prior(const us_mi_params& params, std::size_t t, std::size_t cells) {
  return t < cells ? params.alpha / static_cast<double>(cells) : 1 - params.alpha;
}

/// log of the sum of e^values; what makes it NaN is among them.
double log_sum(const std::vector<double>& values) {
  double largest = values[0];
  for (const double value : values) largest = std::isnan(value) ? value : std::max(largest, value);
  double sum = 0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

/// p(x|T), log Z_T and r_T(x) of one filter.
struct Filter {
  Filter(const us_mi_params& given, const std::vector<double>& all_scores, std::size_t channel, const std::vector<float>& log_z)
      : params(given), sizes(given), scores(sizes.batch * sizes.templates()), z(sizes.templates()), evidence(sizes.batch) {
    for (std::size_t b = 0; b < sizes.batch; ++b) {
      for (std::size_t t = 0; t < sizes.templates(); ++t) {
        scores[b * sizes.templates() + t] = all_scores[(b * sizes.channels + channel) * sizes.templates() + t];
      }
    }
    for (std::size_t t = 0; t < sizes.templates() && sizes.batch > 0; ++t) {
      std::vector<double> column;
      for (std::size_t b = 0; b < sizes.batch; ++b) column.push_back(scores[b * sizes.templates() + t]);
      z[t] = log_z.empty() ? log_sum(column) : static_cast<double>(log_z[channel * sizes.templates() + t]);
    }
    for (std::size_t b = 0; b < sizes.batch; ++b) {
      double sum = 0;
      for (std::size_t t = 0; t < sizes.templates(); ++t) sum += prior(params, t, sizes.cells) * std::exp(log_p(b, t));
      evidence[b] = std::log(sum);
    }
  }

  double score(std::size_t b, std::size_t t) const { return scores[b * sizes.templates() + t]; }
  double log_p(std::size_t b, std::size_t t) const { return score(b, t) - z[t]; }
  double ratio(std::size_t b, std::size_t t) const { return log_p(b, t) - evidence[b]; }
  double weight(std::size_t b, std::size_t t) const { return prior(params, t, sizes.cells) * std::exp(log_p(b, t)); }
  /// What r_T(x) is summed from; 1 stands for the logarithms, where a relative error of their sum becomes absolute.
  double terms(std::size_t b, std::size_t t) const {
    return 1 + std::fabs(score(b, t)) + std::fabs(z[t]) + std::fabs(evidence[b]);
  }

  us_mi_params params;
  Sizes sizes;
  std::vector<double> scores, z, evidence;
};

/// The template that the one-template gradient keeps; past the last one for a map of zeros.
std::size_t chosen_template(const float* map, std::size_t cells, bool target) {
  if (!target) return cells;
  const float* const best = std::max_element(map, map + cells);
  const bool zero = std::all_of(map, map + cells, [](float value) { return value == 0; });
  return zero ? cells + 1 : static_cast<std::size_t>(best - map);
}

}  // namespace

Bounded reference_scores(const us_mi_params& params, const std::vector<float>& x) {
  const Sizes sizes(params);
  const std::size_t maps = sizes.batch * sizes.channels;
  Bounded result{std::vector<double>(maps * sizes.templates()), std::vector<double>(maps * sizes.templates())};
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    const float* const map = x.data() + i / sizes.templates() * sizes.cells;
    for (std::size_t cell = 0; cell < sizes.cells; ++cell) {
      const auto value = static_cast<double>(map[cell]);
      result.values[i] += std::isfinite(value) ? value * height(params, i % sizes.templates(), cell) : kNan;
      result.magnitudes[i] += params.tau * std::fabs(value);
    }
  }
  return result;
}

Bounded reference_mi_loss(const us_mi_params& params, const std::vector<float>& x, const std::vector<float>& log_z) {
  const Sizes sizes(params);
  const std::vector<double> scores = reference_scores(params, x).values;
  Bounded result{std::vector<double>(sizes.channels), std::vector<double>(sizes.channels)};
  for (std::size_t channel = 0; channel < sizes.channels; ++channel) {
    const Filter filter(params, scores, channel, log_z);
    for (std::size_t b = 0; b < sizes.batch; ++b) {
      for (std::size_t t = 0; t < sizes.templates(); ++t) {
        result.values[channel] -= filter.weight(b, t) * filter.ratio(b, t);
        result.magnitudes[channel] += filter.weight(b, t) * filter.terms(b, t);
      }
    }
  }
  return result;
}

Bounded reference_mi_gradient(const us_mi_params& params, us_mi_mode mode, const std::vector<float>& x,
                              const std::vector<std::uint8_t>& targets, const std::vector<float>& log_z) {
  const Sizes sizes(params);
  const std::vector<double> scores = reference_scores(params, x).values;
  Bounded result{std::vector<double>(x.size()), std::vector<double>(x.size())};
  for (std::size_t channel = 0; channel < sizes.channels; ++channel) {
    const Filter filter(params, scores, channel, log_z);
    for (std::size_t b = 0; b < sizes.batch; ++b) {
      const std::size_t map = b * sizes.channels + channel;
      const std::size_t chosen = chosen_template(x.data() + map * sizes.cells, sizes.cells, targets[map] != 0);
      for (std::size_t t = 0; t < sizes.templates(); ++t) {
        double shift = 0;
        for (std::size_t other = 0; other < sizes.batch && mode == US_MI_EXACT; ++other) {
          shift += std::exp(filter.log_p(other, t)) * filter.ratio(other, t);
        }
        const bool kept = mode != US_MI_ONE_TEMPLATE || t == chosen || std::isnan(filter.evidence[b]);
        for (std::size_t cell = 0; cell < sizes.cells && kept; ++cell) {
          result.values[map * sizes.cells + cell] -= filter.weight(b, t) * (filter.ratio(b, t) - shift) * height(params, t, cell);
          result.magnitudes[map * sizes.cells + cell] +=
              params.tau * filter.weight(b, t) * (filter.terms(b, t) + std::fabs(shift));
        }
      }
    }
  }
  return result;
}

Bounded reference_released_gradient(const us_mi_params& params, const us_mi_released& released, const std::vector<float>& x,
                                    const std::vector<std::uint8_t>& targets, const std::vector<float>& slopes) {
  const Sizes sizes(params);
  const int n = params.size;
  const double a = 0.5;
  const auto count = static_cast<double>(sizes.cells);
  const auto mask_of = [&](std::size_t b, std::size_t channel) {
    const float* const map = x.data() + (b * sizes.channels + channel) * sizes.cells;
    double sum = 0;
    double rows = 0;
    double columns = 0;
    for (int cell = 0; cell < n * n; ++cell) {
      sum += static_cast<double>(map[cell]);
      const int row = cell / n + 1;
      rows += row * static_cast<double>(map[cell]);
      columns += (cell % n + 1) * static_cast<double>(map[cell]);
    }
    const auto centre = [&](double moment) {
      const double rounded = std::floor(moment / std::max(sum, 1e-9) + 0.5);
      return std::isnan(rounded) ? rounded : std::max(rounded, 1.0);
    };
    std::vector<double> mask(sizes.cells);
    for (int cell = 0; cell < n * n; ++cell) {
      const int row = cell / n + 1;
      const int column = cell % n + 1;
      const double distance = std::fabs(row - centre(rows)) + std::fabs(column - centre(columns));
      const double fall = n > 1 ? static_cast<double>(slopes[channel]) * distance * 2 / (n - 1) : distance * 0;
      mask[static_cast<std::size_t>(cell)] = std::isnan(fall) ? kNan : std::max(1 - fall, -1.0);
    }
    return mask;
  };
  const auto mean_of = [&](std::size_t b, std::size_t channel, const std::vector<double>& mask) {
    double sum = 0;
    for (std::size_t cell = 0; cell < sizes.cells; ++cell) {
      sum += static_cast<double>(x[(b * sizes.channels + channel) * sizes.cells + cell]) * mask[cell];
    }
    return sum / count;
  };
  Bounded result{std::vector<double>(x.size()), std::vector<double>(x.size())};
  const std::vector<double> flat(sizes.cells, 1.0);
  for (std::size_t channel = 0; channel < sizes.channels && sizes.batch > 0; ++channel) {
    std::vector<double> borrowed;
    std::vector<double> negatives;
    for (std::size_t b = 0; b < sizes.batch; ++b) {
      borrowed.push_back(mean_of(b, channel, mask_of(sizes.batch - 1 - b, sizes.channels - 1 - channel)) / a);
      negatives.push_back(-mean_of(b, channel, flat) / a);
    }
    const double images = std::log(static_cast<double>(sizes.batch));
    for (const bool positive : {true, false}) {
      const double log_z = a * (log_sum(positive ? borrowed : negatives) - images);
      std::vector<double> v(sizes.batch);
      double sum = 0;
      double members = 0;
      for (std::size_t b = 0; b < sizes.batch; ++b) {
        if ((targets[b * sizes.channels + channel] != 0) != positive) continue;
        const double s = positive ? mean_of(b, channel, mask_of(b, channel)) : -mean_of(b, channel, flat);
        v[b] = std::exp(s / a) * (s - log_z + a);
        sum += v[b];
        members += 1;
      }
      for (std::size_t b = 0; b < sizes.batch; ++b) {
        if ((targets[b * sizes.channels + channel] != 0) != positive) continue;
        const std::vector<double> mask = mask_of(b, channel);
        const double weight = positive ? released.positive_weight : released.negative_weight;
        const double factor = sum == 0 ? 0 : v[b] * members / sum * released.magnitude * weight;
        for (std::size_t cell = 0; cell < sizes.cells; ++cell) {
          const std::size_t at = (b * sizes.channels + channel) * sizes.cells + cell;
          result.values[at] = positive ? -mask[cell] * factor : factor;
          result.magnitudes[at] = std::fabs(factor);
        }
      }
    }
  }
  return result;
}
