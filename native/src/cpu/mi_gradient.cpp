#include "unitscope/mi_gradient.h"

#include "cpu/isa.hpp"
#include "cpu/released_gradient.hpp"
#include "cpu/run_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  FilterBatch filters;
  us_mi_mode mode;
  us_mi_released released;
  const std::uint8_t* targets;
  const float* slopes;
  float* dx;
};

/// One item is as many filters as a vector has lanes.
class Worker {
 public:
  explicit Worker(const Call& call) : call_(call), statistics_(call.filters) {}

  void layout(Arena& arena) {
    statistics_.layout(arena);
    gradient_ = arena.take<Doubles>(call_.filters.cells());
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t channel = item * kDoubleLanes;
      statistics_.find(channel);
      if (call_.mode == US_MI_ONE_TEMPLATE) {
        for (std::int64_t lane = 0; lane < call_.filters.lanes_from(channel); ++lane) write_one_template(channel, lane);
      } else {
        write_all_templates(channel);
      }
    }
    return US_OK;
  }

 private:
  void write_all_templates(std::int64_t channel) {
    const FilterBatch& filters = call_.filters;
    statistics_.weigh_templates(call_.mode == US_MI_EXACT);
    for (std::int64_t image = 0; image < filters.batch; ++image) {
      statistics_.find_gradient(image, gradient_);
      scatter_maps(gradient_, filters.cells(), filters.lanes_from(channel), filters.cells(), gradient_of(image, channel));
    }
  }

  void write_one_template(std::int64_t channel, std::int64_t lane) {
    const FilterBatch& filters = call_.filters;
    const std::int64_t n = filters.cone.size;
    for (std::int64_t image = 0; image < filters.batch; ++image) {
      const float* const map = filters.map(image, channel + lane);
      float* const to = gradient_of(image, channel + lane);
      const bool target = call_.targets[image * filters.channels + channel + lane] != 0;
      const std::int64_t t = target ? first_maximum(map) : filters.cells();
      double factor = statistics_.information(image, t, lane);
      if (target && is_zero(map)) factor *= 0;
      const std::int64_t row = t / n;
      const std::int64_t column = t % n;
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          const std::int64_t distance = (i < row ? row - i : i - row) + (j < column ? column - j : j - column);
          const double height = 1 - filters.cone.step * static_cast<double>(distance);
          const double shape = !target || height < -1 ? -1 : height;
          to[i * n + j] = static_cast<float>(0.0 - factor * (filters.tau * shape));
        }
      }
    }
  }

  std::int64_t first_maximum(const float* map) const {
    std::int64_t best = 0;
    for (std::int64_t cell = 1; cell < call_.filters.cells(); ++cell) best = map[cell] > map[best] ? cell : best;
    return best;
  }

  bool is_zero(const float* map) const {
    for (std::int64_t cell = 0; cell < call_.filters.cells(); ++cell) {
      if (map[cell] != 0) return false;
    }
    return true;
  }

  float* gradient_of(std::int64_t image, std::int64_t channel) const {
    return call_.dx + (image * call_.filters.channels + channel) * call_.filters.cells();
  }

  const Call& call_;
  FilterStatistics statistics_;
  Doubles* gradient_ = nullptr;
};

/// One item is one filter.
class ReleasedWorker {
 public:
  explicit ReleasedWorker(const Call& call) : gradient_(call.filters, call.released, call.targets, call.slopes, call.dx) {}

  void layout(Arena& arena) { gradient_.layout(arena); }

  us_status run(std::int64_t begin, std::int64_t end) {
    for (std::int64_t channel = begin; channel < end; ++channel) gradient_.find(channel);
    return US_OK;
  }

 private:
  ReleasedGradient gradient_;
};

}  // namespace

us_status mi_gradient(const us_execution* execution, const us_mi_params* params, us_mi_mode mode,
                      const us_mi_released* released, const float* x, const uint8_t* targets, const float* slopes,
                      const float* log_z, float* dx) {
  if (params->batch == 0) return US_OK;
  Call call{filter_batch(*params, x, log_z), mode, {}, targets, slopes, dx};
  const std::int64_t cost = params->batch * template_count(*params) * 16;
  if (mode == US_MI_RELEASED) {
    call.released = *released;
    return run_rows<ReleasedWorker>(*execution, params->channels, cost, call);
  }
  return run_rows<Worker>(*execution, call.filters.groups(), cost * kDoubleLanes, call);
}

}  // namespace us::cpu::US_ISA
