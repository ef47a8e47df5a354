#pragma once

#include "core/error.hpp"
#include "cpu/scratch.hpp"
#include "unitscope/template_mask.h"

namespace us::cpu::US_ISA {
namespace {

/// Rows of templates, without ever building a template. As a function f of the distance the cone never rises, so over a
/// row |dy| away from the part it is min(f(|dy| + dx), f(|dy| - dx)): two unaligned loads from one short table of f, once
/// forwards and once backwards, the latter continued to negative distances.
class TemplateRows {
 public:
  explicit TemplateRows(const us_mask_params& params) : size_(params.size), height_(params.height) {}

  void layout(Arena& arena) {
    const std::int64_t length = 3 * size_ + 2 * kSlack;
    falling_ = arena.take<float>(length);
    rising_ = arena.take<float>(length);
  }

  us_status select(float beta) {
    if (beta == beta_) return US_OK;
    if (!(beta >= 0) || beta > __FLT_MAX__) {
      return fail(US_BAD_INPUT, "beta must be finite and at least 0, it is %g", static_cast<double>(beta));
    }
    beta_ = beta;
    const auto side = static_cast<float>(size_);
    const std::int64_t length = 3 * size_ + kSlack;
    const std::int64_t last = 2 * size_ - 2;
    const auto value = [&](std::int64_t distance) {
      const float slope = (side - beta * static_cast<float>(static_cast<std::int32_t>(distance))) / side;
      return height_ * (slope > -1.0F ? slope : -1.0F);
    };
    for (std::int64_t i = 0; i < length; ++i) falling_[i] = value(i - (size_ - 1));
    for (std::int64_t i = 0; i < length; ++i) rising_[i] = value(last - i);
    return US_OK;
  }

  /// One row of the template of a part in `column`.
  class Row {
   public:
    Row(const float* falling, const float* rising) : falling_(falling), rising_(rising) {}

    Floats at(std::int64_t column) const {
      const Floats right = load(falling_ + column);
      const Floats left = load(rising_ + column);
      return left < right ? left : right;
    }

   private:
    const float* falling_;
    const float* rising_;
  };

  Row row(std::int64_t distance, std::int64_t column) const {
    return {falling_ + (size_ - 1) + distance - column, rising_ + (2 * size_ - 2) - distance - column};
  }

 private:
  std::int64_t size_;
  float height_;
  float beta_ = __builtin_nanf("");  // equal to nothing, so that the first is always taken
  float* falling_ = nullptr;
  float* rising_ = nullptr;
};

/// Rows of an input that may be read in whole vectors: a row whose last vector would leave the array is read from a copy.
class InputRows {
 public:
  InputRows(const float* array, std::int64_t cells, std::int64_t width)
      : end_(array + cells), width_(width), reach_((width + kLanes - 1) / kLanes * kLanes) {}

  void layout(Arena& arena) { copy_ = arena.take<float>(width_ + kSlack); }

  const float* readable(const float* row) {
    if (end_ - row >= reach_) return row;
    for (std::int64_t i = width_; i < reach_; ++i) copy_[i] = 0;
    __builtin_memcpy(copy_, row, static_cast<std::size_t>(width_) * sizeof(float));
    return copy_;
  }

 private:
  const float* end_;
  std::int64_t width_;
  std::int64_t reach_;
  float* copy_ = nullptr;
};

/// How many rows of a map are handed to a sink at once: small maps as a whole, which spares its bookkeeping per row.
inline std::int64_t rows_per_piece(std::int64_t size) { return size <= 32 ? size : 1; }

}  // namespace
}  // namespace us::cpu::US_ISA
