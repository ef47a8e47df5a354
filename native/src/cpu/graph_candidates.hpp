#pragma once

#include "core/graph_em_step.hpp"
#include "cpu/double_rows.hpp"
#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

constexpr std::int64_t kCandidates = US_GRAPH_CANDIDATES;
// What the last two lanes of a row hold is never read.
constexpr std::int64_t kGrid = kCandidates * kRow;

constexpr double kRootOfTwoPi = 0x1.40d931ff62706p+1;

/// The sum over the candidates of a row, in their order.
inline double sum_of(const Row& row) {
  double lanes[kRow];
  store_row(lanes, row);
  double sum = lanes[0];
  for (std::int64_t i = 1; i < kCandidates; ++i) sum += lanes[i];
  return sum;
}

/// 2a - 5 for every candidate: six times its offset from the centre, in units of the half range.
inline Row candidate_steps() {
  const double steps[kRow] = {-5, -3, -1, 1, 3, 5, 7, 9};
  return load_row(steps);
}

inline double candidate_offset(std::int64_t radius, std::int64_t candidate) {
  return static_cast<double>(radius * (2 * candidate - 5)) / 6;
}

inline Row candidate_offsets(std::int64_t radius) {
  const double scale = static_cast<double>(radius);
  return for_each_part([scale](Doubles step) { return step * scale / 6.0; }, candidate_steps());
}

/// N(c; deviation) of every candidate.
inline Row candidate_densities(std::int64_t radius, double deviation) {
  const double spread = 2 * deviation * deviation;
  const double height = 1 / (kRootOfTwoPi * deviation);
  return for_each_part([=](Doubles c) { return exponential(c * c / -spread) * height; }, candidate_offsets(radius));
}

/// The smoothing kernels K of all half ranges, less their floor, which is what they are almost everywhere: what is left
/// is nonzero only within 3 m of a candidate.
class SmoothingKernels {
 public:
  SmoothingKernels(std::int64_t largest_radius, double smoothing) : largest_(largest_radius), smoothing_(smoothing) {}

  void layout(Arena& arena) {
    values_ = arena.take<double>(windows_before(largest_ + 1) * kGrid);
    rows_ = arena.take<Reach>((largest_ + 1) * (largest_ + 1));
  }

  void prepare() {
    const double height = 1 / (kRootOfTwoPi * smoothing_);
    const double spread = 2 * smoothing_ * smoothing_;
    const Doubles farthest = splat_double(4.5);
    const Doubles least = exponential(Doubles{} - farthest);
    floor_ = least[0] * height;
    for (std::int64_t radius = 0; radius <= largest_; ++radius) {
      const Row offsets = candidate_offsets(radius);
      for (std::int64_t i = -radius; i <= radius; ++i) {
        Reach& reach = rows_[radius * radius + i + radius];
        reach = {kCandidates, 0};
        for (std::int64_t a = 0; a < kCandidates; ++a) {
          const double down = candidate_offset(radius, a) - static_cast<double>(i);
          const double down_squared = down * down;
          if (down_squared < 4.5 * spread) {
            if (reach.first > a) reach.first = a;
            reach.end = a + 1;
          }
          for (std::int64_t j = -radius; j <= radius; ++j) {
            const Row values = for_each_part(
                [=](Doubles c) {
                  const Doubles across = c - static_cast<double>(j);
                  const Doubles exponent = (across * across + down_squared) / spread;
                  const Doubles value = (exponential(Doubles{} - exponent) - least) * height;
                  return exponent < farthest && value > Doubles{} ? value : Doubles{};
                },
                offsets);
            store_row(kernel(radius, i, j) + a * kRow, values);
          }
        }
      }
    }
  }

  /// E of every candidate of a window around `cell` of a map, kGrid of them.
  void smooth(const float* map, std::int64_t height, std::int64_t width, std::int64_t row, std::int64_t column,
              std::int64_t radius, double* to) const {
    for (std::int64_t i = 0; i < kGrid; ++i) to[i] = 0;
    const std::int64_t top = row < radius ? -row : -radius;
    const std::int64_t bottom = height - 1 - row < radius ? height - 1 - row : radius;
    const std::int64_t left = column < radius ? -column : -radius;
    const std::int64_t right = width - 1 - column < radius ? width - 1 - column : radius;
    double sum = 0;
    for (std::int64_t i = top; i <= bottom; ++i) {
      const Reach reach = rows_[radius * radius + i + radius];
      for (std::int64_t j = left; j <= right; ++j) {
        const auto value = static_cast<double>(map[(row + i) * width + column + j]);
        // Not the other way round, so that NaN counts.
        if (value <= 0) continue;
        sum += value;
        const double* const weights = kernel(radius, i, j);
        for (std::int64_t a = reach.first; a < reach.end; ++a) {
          store_row(to + a * kRow, load_row(to + a * kRow) + load_row(weights + a * kRow) * value);
        }
      }
    }
    for (std::int64_t a = 0; a < kCandidates; ++a) store_row(to + a * kRow, load_row(to + a * kRow) + floor_ * sum);
  }

 private:
  /// The rows of candidates that a row of the window can be within 3 m of.
  struct Reach {
    std::int64_t first;
    std::int64_t end;
  };

  /// The cells of the windows of all half ranges below `radius`.
  static std::int64_t windows_before(std::int64_t radius) { return radius * (4 * radius * radius - 1) / 3; }

  double* kernel(std::int64_t radius, std::int64_t i, std::int64_t j) const {
    const std::int64_t side = 2 * radius + 1;
    return values_ + (windows_before(radius) + (i + radius) * side + j + radius) * kGrid;
  }

  std::int64_t largest_;
  double smoothing_;
  double floor_ = 0;
  double* values_ = nullptr;
  Reach* rows_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
