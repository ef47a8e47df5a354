#include "unitscope/map_moments.h"

#include "cpu/exponential.hpp"
#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"
#include "cpu/template_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  us_maps_params params;
  bool rectified;
  const float* x;
  double* moments;
};

using HalfFloats [[gnu::vector_size(kDoubleLanes * 4), gnu::aligned(4), gnu::may_alias]] = float;

Doubles load_as_doubles(const float* from) {
  return __builtin_convertvector(*reinterpret_cast<const HalfFloats*>(from), Doubles);
}

double total(Doubles values) {
  double sum = 0;
  for (std::int64_t lane = 0; lane < kDoubleLanes; ++lane) sum += values[lane];
  return sum;
}

/// One item is one map. It is read once, into sums over the columns of each row, plain and weighted with the column, and
/// sums over the rows of each column; positions are counted from the middle of the map. The sums of a row stay apart by
/// lane, since all that follows is linear in them.
class Worker {
 public:
  explicit Worker(const Call& call)
      : call_(call),
        height_(call.params.height),
        width_(call.params.width),
        vectors_((width_ + kDoubleLanes - 1) / kDoubleLanes),
        input_(call.x, call.params.maps * height_ * width_, width_) {}

  void layout(Arena& arena) {
    input_.layout(arena);
    rows_ = arena.take<Doubles>(height_);
    tilted_ = arena.take<Doubles>(height_);
    columns_ = arena.take<Doubles>(vectors_);
    positions_ = arena.take<Doubles>(vectors_);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    for (std::int64_t vector = 0; vector < vectors_; ++vector) {
      for (std::int64_t lane = 0; lane < kDoubleLanes; ++lane) {
        positions_[vector][lane] = from_middle(vector * kDoubleLanes + lane, width_);
      }
    }
    for (std::int64_t map = begin; map < end; ++map) {
      sum_up(call_.x + map * height_ * width_);
      find_moments(call_.moments + map * US_MOMENT_COUNT);
    }
    return US_OK;
  }

 private:
  static double from_middle(std::int64_t position, std::int64_t size) {
    return static_cast<double>(position) - 0.5 * static_cast<double>(size - 1);
  }

  Doubles weights(const float* x) const {
    const Doubles values = load_as_doubles(x);
    if (!call_.rectified) return values;
    return values <= Doubles{} ? Doubles{} : values;
  }

  void sum_up(const float* x) {
    const std::int64_t whole = width_ / kDoubleLanes;
    for (std::int64_t vector = 0; vector < vectors_; ++vector) columns_[vector] = Doubles{};
    for (std::int64_t row = 0; row < height_; ++row, x += width_) {
      const float* const from = input_.readable(x);
      Doubles sum{};
      Doubles tilted{};
      const auto take = [&](std::int64_t vector, Doubles weight) {
        columns_[vector] += weight;
        sum += weight;
        tilted += weight * positions_[vector];
      };
      for (std::int64_t vector = 0; vector < whole; ++vector) take(vector, weights(from + vector * kDoubleLanes));
      if (whole < vectors_) {
        // Beyond the row lie other cells.
        const Doubles inside = splat_double(static_cast<double>(width_) * 0.5);
        const Doubles weight = weights(from + whole * kDoubleLanes);
        take(whole, positions_[whole] < inside ? weight : Doubles{});
      }
      rows_[row] = sum;
      tilted_[row] = tilted;
    }
  }

  void find_moments(double* to) const {
    Doubles mass{};
    Doubles by_column{};
    for (std::int64_t vector = 0; vector < vectors_; ++vector) {
      mass += columns_[vector];
      by_column += columns_[vector] * positions_[vector];
    }
    Doubles by_row{};
    for (std::int64_t row = 0; row < height_; ++row) by_row += rows_[row] * from_middle(row, height_);
    const double sum = total(mass);
    to[US_MOMENT_MASS] = sum;
    if (sum == 0 || sum - sum != 0) {
      for (int moment = US_MOMENT_MEAN_ROW; moment < US_MOMENT_COUNT; ++moment) to[moment] = __builtin_nan("");
      return;
    }
    const double mean_row = total(by_row) / sum;
    const double mean_column = total(by_column) / sum;
    Doubles spread_rows{};
    Doubles together{};
    for (std::int64_t row = 0; row < height_; ++row) {
      const double distance = from_middle(row, height_) - mean_row;
      spread_rows += rows_[row] * (distance * distance);
      together += (tilted_[row] - rows_[row] * mean_column) * distance;
    }
    Doubles spread_columns{};
    for (std::int64_t vector = 0; vector < vectors_; ++vector) {
      const Doubles distance = positions_[vector] - mean_column;
      spread_columns += columns_[vector] * (distance * distance);
    }
    to[US_MOMENT_MEAN_ROW] = mean_row - from_middle(0, height_);
    to[US_MOMENT_MEAN_COLUMN] = mean_column - from_middle(0, width_);
    to[US_MOMENT_VARIANCE_ROW] = total(spread_rows) / sum;
    to[US_MOMENT_VARIANCE_COLUMN] = total(spread_columns) / sum;
    to[US_MOMENT_COVARIANCE] = total(together) / sum;
  }

  const Call& call_;
  std::int64_t height_;
  std::int64_t width_;
  std::int64_t vectors_;
  InputRows input_;
  Doubles* rows_ = nullptr;
  Doubles* tilted_ = nullptr;
  Doubles* columns_ = nullptr;
  Doubles* positions_ = nullptr;
};

}  // namespace

us_status map_moments(const us_execution* execution, const us_maps_params* params, int32_t rectified, const float* x,
                      double* moments) {
  const Call call{*params, rectified != 0, x, moments};
  return run_rows<Worker>(*execution, params->maps, std::int64_t{params->height} * params->width, call);
}

}  // namespace us::cpu::US_ISA
