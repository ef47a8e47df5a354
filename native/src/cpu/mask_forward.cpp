#include "unitscope/mask_forward.h"

#include "cpu/isa.hpp"
#include "cpu/map_location.hpp"
#include "cpu/run_rows.hpp"
#include "cpu/template_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  us_mask_params params;
  us_mask_location location;
  const float* x;
  const float* beta;
  float* y;
  std::int32_t* mu;

  std::int64_t cells() const { return params.batch * params.channels * params.size * params.size; }
};

/// One item is one map: read once to find its part, then, from the cache, to mask it.
class Worker {
 public:
  explicit Worker(const Call& call)
      : call_(call), size_(call.params.size), templates_(call.params), input_(call.x, call.cells(), size_) {}

  void layout(Arena& arena) {
    templates_.layout(arena);
    input_.layout(arena);
    sink_.layout(arena, rows_per_piece(size_) * size_);
    sums_ = arena.take<double>(2 * size_);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    const std::int64_t plane = size_ * size_;
    const std::int64_t piece = rows_per_piece(size_);
    const bool streamed = call_.cells() * std::int64_t{sizeof(float)} >= kStreamedBytes;
    sink_.start(call_.y + begin * plane, (end - begin) * (size_ / piece), streamed);
    std::int64_t channel = begin % call_.params.channels;
    for (std::int64_t map = begin; map < end; ++map) {
      const us_status status = templates_.select(call_.beta[channel]);
      if (status != US_OK) return status;
      if (++channel == call_.params.channels) channel = 0;
      const float* const x = call_.x + map * plane;
      const std::int32_t mu = call_.location == US_MASK_ARGMAX ? first_maximum(x, plane)
                                                               : rounded_centroid(x, size_, sums_, sums_ + size_);
      call_.mu[map] = mu;
      const std::int64_t mu_row = mu / size_;
      const std::int64_t mu_column = remainder(mu, size_);
      for (std::int64_t first = 0; first < size_; first += piece) {
        float* const to = sink_.row();
        for (std::int64_t row = first; row < first + piece; ++row) {
          const std::int64_t distance = row < mu_row ? mu_row - row : row - mu_row;
          mask(input_.readable(x + row * size_), templates_.row(distance, mu_column), to + (row - first) * size_);
        }
        sink_.advance(to);
      }
    }
    sink_.finish();
    return US_OK;
  }

 private:
  void mask(const float* x, const TemplateRows::Row& row, float* y) const {
    for (std::int64_t column = 0; column < size_; column += kLanes) {
      const Floats product = load(x + column) * row.at(column);
      store(y + column, product <= Floats{} ? Floats{} : product);
    }
  }

  const Call& call_;
  std::int64_t size_;
  TemplateRows templates_;
  InputRows input_;
  RowSink<float> sink_;
  double* sums_ = nullptr;
};

}  // namespace

us_status mask_forward(const us_execution* execution, const us_mask_params* params, us_mask_location location,
                       const float* x, const float* beta, float* y, int32_t* mu) {
  const Call call{*params, location, x, beta, y, mu};
  const std::int64_t cost = std::int64_t{params->size} * params->size * 2;
  return run_rows<Worker>(*execution, params->batch * params->channels, cost, call);
}

}  // namespace us::cpu::US_ISA
