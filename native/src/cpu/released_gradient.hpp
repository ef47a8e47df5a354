#pragma once

#include "cpu/filter_statistics.hpp"
#include "unitscope/mi_gradient.h"

namespace us::cpu::US_ISA {
namespace {

/// The gradient of the authors' published code, a filter at a time, as us_mi_gradient defines it.
class ReleasedGradient {
 public:
  ReleasedGradient(const FilterBatch& from, const us_mi_released& constants, const std::uint8_t* targets,
                   const float* slopes, float* dx)
      : from_(from), constants_(constants), targets_(targets), slopes_(slopes), dx_(dx) {}

  void layout(Arena& arena) {
    mask_ = arena.take<double>(from_.cells());
    strength_ = arena.take<double>(from_.batch);
    borrowed_ = arena.take<double>(from_.batch);
    mean_ = arena.take<double>(from_.batch);
  }

  void find(std::int64_t channel) {
    for (std::int64_t image = 0; image < from_.batch; ++image) {
      const float* const map = from_.map(image, channel);
      mean_[image] = mean_under(map, nullptr);
      make_mask(from_.batch - 1 - image, from_.channels - 1 - channel);
      borrowed_[image] = mean_under(map, mask_);
      make_mask(image, channel);
      strength_[image] = is_target(image, channel) ? mean_under(map, mask_) : -mean_[image];
    }
    for (std::int64_t image = 0; image < from_.batch; ++image) mean_[image] = -mean_[image];
    normalise(channel, true, log_mean(borrowed_), constants_.positive_weight);
    normalise(channel, false, log_mean(mean_), constants_.negative_weight);
    for (std::int64_t image = 0; image < from_.batch; ++image) write(image, channel);
  }

 private:
  static constexpr double kA = 0.5;

  bool is_target(std::int64_t image, std::int64_t channel) const { return targets_[image * from_.channels + channel] != 0; }

  /// The mean of the map times the mask; of the map alone without one.
  double mean_under(const float* map, const double* mask) const {
    double sum = 0;
    for (std::int64_t cell = 0; cell < from_.cells(); ++cell) {
      sum += static_cast<double>(map[cell]) * (mask == nullptr ? 1 : mask[cell]);
    }
    return sum / static_cast<double>(from_.cells());
  }

  void make_mask(std::int64_t image, std::int64_t channel) {
    const std::int64_t n = from_.cone.size;
    const float* const map = from_.map(image, channel);
    double sum = 0;
    double rows = 0;
    double columns = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        const double value = map[i * n + j];
        sum += value;
        rows += static_cast<double>(i + 1) * value;
        columns += static_cast<double>(j + 1) * value;
      }
    }
    const double row = centre(rows, sum);
    const double column = centre(columns, sum);
    const double slope = slopes_[channel];
    const double grid = n > 1 ? 2 / static_cast<double>(n - 1) : 0;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        const double distance =
            __builtin_fabs(static_cast<double>(i + 1) - row) + __builtin_fabs(static_cast<double>(j + 1) - column);
        const double height = 1 - slope * grid * distance;
        mask_[i * n + j] = height < -1 ? -1 : height;
      }
    }
  }

  static double centre(double moment, double sum) {
    const double rounded = __builtin_floor(moment / (sum < 1e-9 ? 1e-9 : sum) + 0.5);
    return rounded < 1 ? 1 : rounded;
  }

  /// a log mean exp(values / a).
  double log_mean(const double* values) const {
    double largest = values[0];
    for (std::int64_t image = 1; image < from_.batch; ++image) largest = values[image] > largest ? values[image] : largest;
    double sum = 0;
    for (std::int64_t image = 0; image < from_.batch; ++image) sum += __builtin_exp((values[image] - largest) / kA);
    return largest + kA * __builtin_log(sum / static_cast<double>(from_.batch));
  }

  /// Turns the strengths of the positives or of the negatives into the factors of their gradients. exp(s/a) is relative
  /// to the largest, which the mean divides out again.
  void normalise(std::int64_t channel, bool positives, double log_z, double weight) {
    double largest = -__builtin_inf();
    std::int64_t count = 0;
    for (std::int64_t image = 0; image < from_.batch; ++image) {
      if (is_target(image, channel) != positives) continue;
      largest = strength_[image] > largest ? strength_[image] : largest;
      ++count;
    }
    double sum = 0;
    for (std::int64_t image = 0; image < from_.batch; ++image) {
      if (is_target(image, channel) != positives) continue;
      const double s = strength_[image];
      strength_[image] = __builtin_exp((s - largest) / kA) * (s - log_z + kA);
      sum += strength_[image];
    }
    const double mean = sum / static_cast<double>(count);
    const double scale = mean == 0 ? 0 : constants_.magnitude * weight / mean;
    for (std::int64_t image = 0; image < from_.batch; ++image) {
      if (is_target(image, channel) == positives) strength_[image] *= scale;
    }
  }

  void write(std::int64_t image, std::int64_t channel) {
    float* const to = dx_ + (image * from_.channels + channel) * from_.cells();
    const double factor = strength_[image];
    const bool target = is_target(image, channel);
    if (target) make_mask(image, channel);
    for (std::int64_t cell = 0; cell < from_.cells(); ++cell) {
      to[cell] = static_cast<float>(target ? 0.0 - mask_[cell] * factor : factor);
    }
  }

  const FilterBatch& from_;
  const us_mi_released& constants_;
  const std::uint8_t* targets_;
  const float* slopes_;
  float* dx_;
  double* mask_ = nullptr;
  double* strength_ = nullptr;
  double* borrowed_ = nullptr;
  double* mean_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
