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
    map_ = arena.take<Doubles>(call_.filters.cells());
    template_.layout(arena, call_.filters.cone.size);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    const FilterBatch& filters = call_.filters;
    const std::int64_t cells = filters.cells();
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t channel = item * kDoubleLanes;
      const std::int64_t lanes = filters.lanes_from(channel);
      statistics_.find(channel);
      if (call_.mode != US_MI_ONE_TEMPLATE) statistics_.weigh_templates(call_.mode == US_MI_EXACT);
      for (std::int64_t image = 0; image < filters.batch; ++image) {
        float* const to = call_.dx + filters.offset(image, channel);
        prefetch(to, lanes * cells);
        if (call_.mode == US_MI_ONE_TEMPLATE) {
          find_one_template(image, channel);
        } else {
          statistics_.find_gradient(image, map_);
        }
        scatter_maps(map_, cells, lanes, cells, to);
      }
    }
    return US_OK;
  }

 private:
  void find_one_template(std::int64_t image, std::int64_t channel) {
    const FilterBatch& filters = call_.filters;
    const std::int64_t n = filters.cone.size;
    const std::int64_t lanes = filters.lanes_from(channel);
    gather_maps(filters.map(image, channel), filters.cells(), lanes, filters.cells(), map_);
    const Peak peak = find_peak();
    Doubles row{};
    Doubles column{};
    Doubles slope{};
    Doubles factor{};
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      const bool target = call_.targets[image * filters.channels + channel + lane] != 0;
      const std::int64_t cell = peak.cell[lane];
      const std::int64_t t = target ? cell : filters.cells();
      const std::int64_t i = cell / n;
      row[lane] = static_cast<double>(i);
      column[lane] = static_cast<double>(cell - i * n);
      // The negative template is minus one that does not fall.
      slope[lane] = target ? filters.cone.step : 0;
      factor[lane] = statistics_.information(image, t, lane) * (target ? filters.tau : -filters.tau);
      if (target && peak.is_zero[lane] != 0) factor[lane] *= 0;
    }
    template_.place(row, column, slope);
    template_.subtract(factor, map_);
  }

  struct Peak {
    Longs cell;  // of the first maximum
    Longs is_zero;
  };

  Peak find_peak() const {
    Doubles best = map_[0];
    Longs at{};
    Longs is_zero = map_[0] == 0.0;
    for (std::int64_t cell = 1; cell < call_.filters.cells(); ++cell) {
      const Doubles value = map_[cell];
      const Longs is_better = value > best;
      best = is_better ? value : best;
      at = is_better ? Longs{} + cell : at;
      is_zero &= value == 0.0;
    }
    return {at, is_zero};
  }

  const Call& call_;
  FilterStatistics statistics_;
  LaneTemplate template_;
  Doubles* map_ = nullptr;
};

/// One item is as many filters as a vector has lanes.
class ReleasedWorker {
 public:
  explicit ReleasedWorker(const Call& call) : gradient_(call.filters, call.released, call.targets, call.slopes, call.dx) {}

  void layout(Arena& arena) { gradient_.layout(arena); }

  us_status run(std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin; item < end; ++item) gradient_.find(item * kDoubleLanes);
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
  const std::int64_t cost = params->batch * template_count(*params) * kDoubleLanes * 16;
  if (mode == US_MI_RELEASED) {
    call.released = *released;
    return run_rows<ReleasedWorker>(*execution, call.filters.groups(), cost, call);
  }
  return run_rows<Worker>(*execution, call.filters.groups(), cost, call);
}

}  // namespace us::cpu::US_ISA
