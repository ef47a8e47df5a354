#include "unitscope/max_pool_backward.h"

#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"
#include "cpu/signal_rule.hpp"
#include "cpu/unpooled_rows.hpp"
#include "cpu/window_maxima.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  PoolAxes axes;
  std::int64_t planes;
  us_signal_rule rule;
  const float* x;
  const float* dy;
  float* dx;
};

/// One item is one row of dx. The switches of the windows that reach it are found on the way and never stored.
class Worker {
 public:
  explicit Worker(const Call& call) : call_(call), maxima_(call.axes, call.x, call.planes), rows_(call.axes) {}

  void layout(Arena& arena) {
    maxima_.layout(arena);
    rows_.layout(arena);
    sink_.layout(arena, call_.axes.x.size);
    unused_maxima_ = arena.take<float>(call_.axes.x.out_size + kSlack);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    const std::int64_t height = call_.axes.y.size;
    const std::int64_t width = call_.axes.x.size;
    const std::int64_t windows = call_.axes.x.out_size;
    const bool streamed = call_.planes * height * width * std::int64_t{sizeof(float)} >= kStreamedBytes;
    maxima_.prepare();
    rows_.prepare();
    sink_.start(call_.dx + begin * width, end - begin, streamed);
    std::int64_t plane = begin / height;
    std::int64_t row = begin % height;
    maxima_.start_plane(call_.x + plane * height * width);
    for (std::int64_t item = begin; item < end; ++item) {
      const auto load = [&](std::int64_t window_row, UnpooledRows::WindowRow into) {
        maxima_.find(window_row, unused_maxima_, into.switches);
        const float* const from = call_.dy + (plane * call_.axes.y.out_size + window_row) * windows;
        copy_row(into.values, from, windows);
        return US_OK;
      };
      float* const to = sink_.row();
      const us_status status = rows_.make<true>(row, to, load);
      if (status != US_OK) return status;
      apply_signal_rule(call_.rule, call_.x + item * width, width, to);
      sink_.advance(to);
      if (++row == height) {
        row = 0;
        ++plane;
        maxima_.start_plane(call_.x + plane * height * width);
        rows_.start_plane();
      }
    }
    sink_.finish();
    return US_OK;
  }

 private:
  const Call& call_;
  WindowMaxima maxima_;
  UnpooledRows rows_;
  RowSink<float> sink_;
  float* unused_maxima_ = nullptr;
};

}  // namespace

us_status max_pool_backward(const us_execution* execution, const us_pool2d_params* params, us_signal_rule rule, const float* x,
                            const float* dy, float* dx) {
  const PoolAxes axes = pool_axes(*params);
  const Call call{axes, params->planes, rule, x, dy, dx};
  const std::int64_t cost = axes.x.size * 4 + axes.x.out_size * axes.y.kernel * axes.x.kernel;
  return run_rows<Worker>(*execution, params->planes * axes.y.size, cost, call);
}

}  // namespace us::cpu::US_ISA
