#pragma once

#include "cpu/filter_statistics.hpp"
#include "cpu/lane_template.hpp"
#include "unitscope/mi_gradient.h"

namespace us::cpu::US_ISA {
namespace {

/// The gradient of the authors' published code as us_mi_gradient defines it, one filter per lane.
class ReleasedGradient {
 public:
  ReleasedGradient(const FilterBatch& from, const us_mi_released& constants, const std::uint8_t* targets,
                   const float* slopes, float* dx)
      : from_(from), constants_(constants), targets_(targets), slopes_(slopes), dx_(dx) {}

  void layout(Arena& arena) {
    map_ = arena.take<Doubles>(from_.cells());
    own_.layout(arena, from_.cone.size);
    borrowed_.layout(arena, from_.cone.size);
    images_ = arena.take<Image>(from_.batch);
  }

  void find(std::int64_t channel) {
    const Slopes slopes = slopes_of(channel);
    for (std::int64_t image = 0; image < from_.batch; ++image) look_at(image, channel, slopes);
    const auto borrowed = [](const Image& image) { return image.borrowed; };
    const auto lowered = [](const Image& image) { return 0.0 - image.mean; };
    normalise(true, log_mean(borrowed), constants_.positive_weight);
    normalise(false, log_mean(lowered), constants_.negative_weight);
    for (std::int64_t image = 0; image < from_.batch; ++image) write(image, channel, slopes.own);
  }

 private:
  static constexpr double kA = 0.5;

  struct Centre {
    Doubles row;
    Doubles column;
  };

  struct Image {
    Longs is_target;
    Centre centre;
    Doubles mean;
    Doubles borrowed;  // the mean under the mask of another map
    Doubles strength;
  };

  struct Slopes {
    Doubles own;
    Doubles borrowed;
  };

  /// The masks' slopes per cell of the group, and of the filters whose masks it borrows.
  Slopes slopes_of(std::int64_t channel) const {
    const double grid = from_.cone.size > 1 ? 2 / static_cast<double>(from_.cone.size - 1) : 0;
    Slopes slopes{};
    for (std::int64_t lane = 0; lane < from_.lanes_from(channel); ++lane) {
      slopes.own[lane] = slopes_[channel + lane] * grid;
      slopes.borrowed[lane] = slopes_[from_.channels - 1 - channel - lane] * grid;
    }
    return slopes;
  }

  void look_at(std::int64_t index, std::int64_t channel, const Slopes& slopes) {
    Image& image = images_[index];
    const std::int64_t n = from_.cone.size;
    const std::int64_t cells = from_.cells();
    const std::int64_t lanes = from_.lanes_from(channel);
    gather_maps(from_.map(from_.batch - 1 - index, from_.channels - 1 - channel), -cells, lanes, cells, map_);
    const Centre lender = find_moments().centre;
    borrowed_.place(lender.row, lender.column, slopes.borrowed);
    gather_maps(from_.map(index, channel), cells, lanes, cells, map_);
    const Moments moments = find_moments();
    image.centre = moments.centre;
    image.mean = moments.sum / static_cast<double>(cells);
    own_.place(image.centre.row, image.centre.column, slopes.own);
    Doubles own{};
    Doubles borrowed{};
    for (std::int64_t i = 0; i < n; ++i) {
      const Doubles own_row = own_.row(i);
      const Doubles borrowed_row = borrowed_.row(i);
      for (std::int64_t j = 0; j < n; ++j) {
        const Doubles value = map_[i * n + j];
        own += value * own_.at(own_row, j);
        borrowed += value * borrowed_.at(borrowed_row, j);
      }
    }
    image.borrowed = borrowed / static_cast<double>(cells);
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      image.is_target[lane] = targets_[index * from_.channels + channel + lane] != 0 ? -1 : 0;
    }
    // Less itself, a sum that is not finite is NaN: an infinity must not pass for a strength.
    const Doubles strength = image.is_target ? own / static_cast<double>(cells) : 0.0 - image.mean;
    image.strength = strength + (moments.sum - moments.sum);
  }

  struct Moments {
    Doubles sum;
    Centre centre;
  };

  Moments find_moments() const {
    const std::int64_t n = from_.cone.size;
    Doubles sum{};
    Doubles rows{};
    Doubles columns{};
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        const Doubles value = map_[i * n + j];
        sum += value;
        rows += value * static_cast<double>(i + 1);
        columns += value * static_cast<double>(j + 1);
      }
    }
    return {sum, {centre_of(rows, sum), centre_of(columns, sum)}};
  }

  /// From a moment that counts from 1 to the nearest cell, which counts from 0.
  static Doubles centre_of(Doubles moment, Doubles sum) {
    const Doubles centre = moment / (sum < splat_double(1e-9) ? splat_double(1e-9) : sum) + 0.5;
    Doubles rounded{};
    for (std::int64_t lane = 0; lane < kDoubleLanes; ++lane) rounded[lane] = __builtin_floor(centre[lane]);
    return larger(Doubles{}, rounded - 1.0);
  }

  /// a log mean exp(value / a) over the images.
  template <typename Value>
  Doubles log_mean(Value value) const {
    Doubles largest = value(images_[0]);
    for (std::int64_t image = 1; image < from_.batch; ++image) largest = larger(value(images_[image]), largest);
    Doubles sum{};
    for (std::int64_t image = 0; image < from_.batch; ++image) {
      sum += quick_exponential((value(images_[image]) - largest) * (1 / kA));
    }
    return largest + logarithm(sum / static_cast<double>(from_.batch)) * kA;
  }

  /// Turns the strengths of the positives or of the negatives into the factors of their gradients. exp(s/a) is relative
  /// to the largest, which the mean divides out again.
  void normalise(bool positives, Doubles log_z, double weight) {
    const auto belongs = [&](const Image& image) { return positives ? image.is_target : ~image.is_target; };
    Doubles largest = splat_double(-__builtin_inf());
    Doubles count{};
    for (std::int64_t i = 0; i < from_.batch; ++i) {
      const Longs ours = belongs(images_[i]);
      largest = ours ? larger(images_[i].strength, largest) : largest;
      count += ours ? splat_double(1) : Doubles{};
    }
    Doubles sum{};
    for (std::int64_t i = 0; i < from_.batch; ++i) {
      const Longs ours = belongs(images_[i]);
      const Doubles s = images_[i].strength;
      const Doubles v = quick_exponential((s - largest) * (1 / kA)) * (s - log_z + kA);
      images_[i].strength = ours ? v : s;
      sum += ours ? v : Doubles{};
    }
    const Doubles mean = sum / count;
    const Doubles scale = mean == 0.0 ? Doubles{} : constants_.magnitude * weight / mean;
    for (std::int64_t i = 0; i < from_.batch; ++i) {
      const Doubles strength = images_[i].strength;
      images_[i].strength = belongs(images_[i]) ? strength * scale : strength;
    }
  }

  void write(std::int64_t index, std::int64_t channel, Doubles slope) {
    const Image& image = images_[index];
    // A mask that does not fall is 1 everywhere.
    own_.place(image.centre.row, image.centre.column, image.is_target ? slope : Doubles{});
    own_.subtract(image.is_target ? image.strength : 0.0 - image.strength, map_);
    const std::int64_t cells = from_.cells();
    scatter_maps(map_, cells, from_.lanes_from(channel), cells, dx_ + from_.offset(index, channel));
  }

  const FilterBatch& from_;
  const us_mi_released& constants_;
  const std::uint8_t* targets_;
  const float* slopes_;
  float* dx_;
  Doubles* map_ = nullptr;
  LaneTemplate own_;
  LaneTemplate borrowed_;
  Image* images_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
