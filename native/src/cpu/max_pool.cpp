#include "unitscope/max_pool.h"

#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"
#include "cpu/window_maxima.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  PoolAxes axes;
  std::int64_t planes;
  const float* x;
  float* y;
  std::uint8_t* switches;
};

/// One item is one row of windows.
class Worker {
 public:
  explicit Worker(const Call& call) : call_(call), maxima_(call.axes, call.x, call.planes) {}

  void layout(Arena& arena) {
    maxima_.layout(arena);
    values_.layout(arena, call_.axes.x.out_size);
    switches_.layout(arena, call_.axes.x.out_size);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    const std::int64_t height = call_.axes.y.out_size;
    const std::int64_t width = call_.axes.x.out_size;
    const std::int64_t plane_size = call_.axes.y.size * call_.axes.x.size;
    const bool streamed = call_.planes * height * width * std::int64_t{sizeof(float)} >= kStreamedBytes;
    maxima_.prepare();
    values_.start(call_.y + begin * width, end - begin, streamed);
    switches_.start(call_.switches + begin * width, end - begin, streamed);
    std::int64_t row = begin % height;
    const float* plane = call_.x + begin / height * plane_size;
    maxima_.start_plane(plane);
    for (std::int64_t item = begin; item < end; ++item) {
      float* const values = values_.row();
      std::uint8_t* const switches = switches_.row();
      maxima_.find(row, values, switches);
      values_.advance(values);
      switches_.advance(switches);
      if (++row == height) {
        row = 0;
        plane += plane_size;
        maxima_.start_plane(plane);
      }
    }
    values_.finish();
    switches_.finish();
    return US_OK;
  }

 private:
  const Call& call_;
  WindowMaxima maxima_;
  RowSink<float> values_;
  RowSink<std::uint8_t> switches_;
};

}  // namespace

us_status max_pool(const us_execution* execution, const us_pool2d_params* params, const float* x, float* y,
                   uint8_t* switches) {
  const PoolAxes axes = pool_axes(*params);
  const Call call{axes, params->planes, x, y, switches};
  return run_rows<Worker>(*execution, params->planes * axes.y.out_size, axes.x.out_size * axes.y.kernel * axes.x.kernel, call);
}

}  // namespace us::cpu::US_ISA
