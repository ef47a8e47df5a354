#include "unitscope/mask_backward.h"

#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"
#include "cpu/template_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  us_mask_params params;
  const float* dy;
  const float* x;
  const float* beta;
  const std::int32_t* mu;
  float* dx;

  std::int64_t cells() const { return params.batch * params.channels * params.size * params.size; }
};

/// One item is one map. Without x, dy stands in for it and is not looked at.
template <bool with_x>
class Worker {
 public:
  explicit Worker(const Call& call)
      : call_(call),
        size_(call.params.size),
        templates_(call.params),
        signal_(call.dy, call.cells(), size_),
        input_(with_x ? call.x : call.dy, call.cells(), size_) {}

  void layout(Arena& arena) {
    templates_.layout(arena);
    signal_.layout(arena);
    input_.layout(arena);
    sink_.layout(arena, rows_per_piece(size_) * size_);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    const std::int64_t plane = size_ * size_;
    const std::int64_t piece = rows_per_piece(size_);
    const bool streamed = call_.cells() * std::int64_t{sizeof(float)} >= kStreamedBytes;
    sink_.start(call_.dx + begin * plane, (end - begin) * (size_ / piece), streamed);
    std::int64_t channel = begin % call_.params.channels;
    for (std::int64_t map = begin; map < end; ++map) {
      const us_status status = templates_.select(call_.beta[channel]);
      if (status != US_OK) return status;
      if (++channel == call_.params.channels) channel = 0;
      const std::int32_t mu = call_.mu[map];
      if (mu < 0 || mu >= plane) {
        return fail(US_BAD_INPUT, "mu %d of map %lld is no cell: the map has %lld x %lld", (int)mu, (long long)map,
                    (long long)size_, (long long)size_);
      }
      const std::int64_t mu_row = mu / size_;
      const std::int64_t mu_column = remainder(mu, size_);
      for (std::int64_t first = 0; first < size_; first += piece) {
        float* const to = sink_.row();
        for (std::int64_t row = first; row < first + piece; ++row) {
          const std::int64_t distance = row < mu_row ? mu_row - row : row - mu_row;
          const std::int64_t offset = map * plane + row * size_;
          const float* const dy = signal_.readable(call_.dy + offset);
          const float* const x = with_x ? input_.readable(call_.x + offset) : dy;
          pass_back(dy, x, templates_.row(distance, mu_column), to + (row - first) * size_);
        }
        sink_.advance(to);
      }
    }
    sink_.finish();
    return US_OK;
  }

 private:
  void pass_back(const float* dy, const float* x, const TemplateRows::Row& row, float* dx) const {
    for (std::int64_t column = 0; column < size_; column += kLanes) {
      const Floats height = row.at(column);
      const Floats gate = with_x ? load(x + column) * height : height;
      store(dx + column, gate <= Floats{} ? Floats{} : load(dy + column) * height);
    }
  }

  const Call& call_;
  std::int64_t size_;
  TemplateRows templates_;
  InputRows signal_;
  InputRows input_;
  RowSink<float> sink_;
};

}  // namespace

us_status mask_backward(const us_execution* execution, const us_mask_params* params, const float* dy, const float* x,
                        const float* beta, const int32_t* mu, float* dx) {
  const Call call{*params, dy, x, beta, mu, dx};
  const std::int64_t maps = params->batch * params->channels;
  const std::int64_t cost = std::int64_t{params->size} * params->size * 2;
  return x == nullptr ? run_rows<Worker<false>>(*execution, maps, cost, call)
                      : run_rows<Worker<true>>(*execution, maps, cost, call);
}

}  // namespace us::cpu::US_ISA
