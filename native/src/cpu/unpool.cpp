#include "unitscope/unpool.h"

#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"
#include "cpu/signal_rule.hpp"
#include "cpu/unpooled_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  PoolAxes axes;
  std::int64_t planes;
  us_signal_rule rule;
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
    first_cells_ = arena.take<std::int32_t>(call_.axes.x.out_size);
    last_cells_ = arena.take<std::int32_t>(call_.axes.x.out_size);
    sink_.layout(arena, call_.axes.x.size);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    const std::int64_t height = call_.axes.y.size;
    const std::int64_t width = call_.axes.x.size;
    const std::int64_t windows = call_.axes.x.out_size;
    const bool streamed = call_.planes * height * width * std::int64_t{sizeof(float)} >= kStreamedBytes;
    rows_.prepare();
    find_sides();
    sink_.start(call_.x + begin * width, end - begin, streamed);
    std::int64_t plane = begin / height;
    std::int64_t row = begin % height;
    for (std::int64_t item = begin; item < end; ++item) {
      const auto load = [&](std::int64_t window_row, UnpooledRows::WindowRow into) {
        const std::int64_t from = (plane * call_.axes.y.out_size + window_row) * windows;
        const std::uint8_t* const narrow = call_.switches + from;
        if (!widen(window_row, narrow, into.switches)) {
          const std::int64_t bad = find_bad_switch(call_.axes, window_row, narrow);
          return bad_switch(call_.axes, plane, window_row, bad, narrow[bad]);
        }
        copy_row(into.values, call_.y + from, windows);
        return US_OK;
      };
      float* const to = sink_.row();
      const us_status status = rows_.make<Accumulate>(row, to, load);
      if (status != US_OK) return status;
      // The other rules are refused.
      if (call_.rule == US_SIGNAL_RULE_DECONVNET) rectify_row(width, to);
      sink_.advance(to);
      if (++row == height) {
        row = 0;
        ++plane;
        rows_.start_plane();
      }
    }
    sink_.finish();
    return US_OK;
  }

 private:
  /// The windows at the sides, whose cells are not all on the plane, and which of their cells are.
  void find_sides() {
    const PoolAxis& x = call_.axes.x;
    for (std::int64_t column = 0; column < x.out_size; ++column) {
      first_cells_[column] = static_cast<std::int32_t>(x.first(column));
      last_cells_[column] = static_cast<std::int32_t>(x.last(column));
    }
    while (left_ < x.out_size && first_cells_[left_] > 0) ++left_;
    right_ = x.out_size;
    while (right_ > left_ && last_cells_[right_ - 1] < x.kernel) --right_;
  }

  /// Makes the switches of a row of windows 32 bits wide. False if one is no cell of the plane.
  bool widen(std::int64_t window_row, const std::uint8_t* narrow, std::int32_t* wide) const {
    const auto kernel = static_cast<std::int32_t>(call_.axes.x.kernel);
    const std::int32_t low = static_cast<std::int32_t>(call_.axes.y.first(window_row)) * kernel;
    const std::int32_t high = static_cast<std::int32_t>(call_.axes.y.last(window_row)) * kernel - 1;
    const std::int64_t width = call_.axes.x.out_size;
    Ints outside{};
    const auto widen_at = [&](std::int64_t column) {
      const Ints values = load(narrow + column);
      store(wide + column, values);
      outside |= (values < splat(low)) | (values > splat(high));
    };
    std::int64_t column = 0;
    for (; column + kLanes <= width; column += kLanes) widen_at(column);
    if (column < width && width >= kLanes) {
      widen_at(width - kLanes);
    } else {
      for (; column < width; ++column) {
        wide[column] = narrow[column];
        outside[0] |= wide[column] < low || wide[column] > high ? -1 : 0;
      }
    }
    if (any(outside)) return false;
    const auto on_plane = [&](std::int64_t at) {
      const std::int32_t cell = wide[at] % kernel;
      return cell >= first_cells_[at] && cell < last_cells_[at];
    };
    for (column = 0; column < left_; ++column) {
      if (!on_plane(column)) return false;
    }
    for (column = right_; column < width; ++column) {
      if (!on_plane(column)) return false;
    }
    return true;
  }

  const Call& call_;
  UnpooledRows rows_;
  RowSink<float> sink_;
  std::int32_t* first_cells_ = nullptr;
  std::int32_t* last_cells_ = nullptr;
  std::int64_t left_ = 0;
  std::int64_t right_ = 0;
};

}  // namespace

us_status unpool(const us_execution* execution, const us_pool2d_params* params, us_unpool_mode mode, us_signal_rule rule,
                 const float* y, const uint8_t* switches, float* x) {
  const PoolAxes axes = pool_axes(*params);
  const Call call{axes, params->planes, rule, y, switches, x};
  const std::int64_t rows = params->planes * axes.y.size;
  const std::int64_t cost = axes.x.size * 4;
  return mode == US_UNPOOL_ACCUMULATE ? run_rows<Worker<true>>(*execution, rows, cost, call)
                                      : run_rows<Worker<false>>(*execution, rows, cost, call);
}

}  // namespace us::cpu::US_ISA
