#include "unitscope/unpool.h"

#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"
#include "cpu/unpooled_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  PoolAxes axes;
  std::int64_t planes;
  const float* y;
  const std::uint8_t* switches;
  float* x;
};

/// One item is one row of the unpooled planes.
template <bool Accumulate>
class Worker {
 public:
  explicit Worker(const Call& call) : call_(call), rows_(call.axes) {}

  void layout(Arena& arena) {
    rows_.layout(arena);
    sink_.layout(arena, call_.axes.x.size);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    const std::int64_t height = call_.axes.y.size;
    const std::int64_t width = call_.axes.x.size;
    const std::int64_t windows = call_.axes.x.out_size;
    const bool streamed = call_.planes * height * width * std::int64_t{sizeof(float)} >= kStreamedBytes;
    rows_.prepare();
    sink_.start(call_.x + begin * width, streamed);
    for (std::int64_t row = begin; row < end; ++row) {
      if (row % height == 0) rows_.start_plane();
      const std::int64_t plane = row / height;
      const auto load = [&](std::int64_t window_row, UnpooledRows::WindowRow to) {
        const std::int64_t from = (plane * call_.axes.y.out_size + window_row) * windows;
        const std::uint8_t* const narrow = call_.switches + from;
        const std::int64_t bad = find_bad_switch(call_.axes, window_row, narrow);
        if (bad >= 0) return bad_switch(call_.axes, plane, window_row, bad, narrow[bad]);
        __builtin_memcpy(to.values, call_.y + from, static_cast<std::size_t>(windows) * sizeof(float));
        for (std::int64_t column = 0; column < windows; ++column) to.switches[column] = narrow[column];
        return US_OK;
      };
      const us_status status = rows_.make<Accumulate>(row % height, sink_.row(), load);
      if (status != US_OK) return status;
      sink_.advance(width);
    }
    sink_.finish();
    return US_OK;
  }

 private:
  const Call& call_;
  UnpooledRows rows_;
  RowSink<float> sink_;
};

}  // namespace

us_status unpool(const us_execution* execution, const us_pool2d_params* params, us_unpool_mode mode, const float* y,
                 const uint8_t* switches, float* x) {
  const PoolAxes axes = pool_axes(*params);
  const Call call{axes, params->planes, y, switches, x};
  const std::int64_t rows = params->planes * axes.y.size;
  const std::int64_t cost = axes.x.size * 4;
  return mode == US_UNPOOL_ACCUMULATE ? run_rows<Worker<true>>(*execution, rows, cost, call)
                                      : run_rows<Worker<false>>(*execution, rows, cost, call);
}

}  // namespace us::cpu::US_ISA
