#include "unitscope/template_scores.h"

#include "cpu/cone_correlation.hpp"
#include "cpu/isa.hpp"
#include "cpu/map_lanes.hpp"
#include "cpu/run_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  Cone cone;
  double tau;
  std::int64_t maps;
  const float* x;
  float* scores;
};

/// One item is as many maps as a vector has lanes.
class Worker {
 public:
  explicit Worker(const Call& call) : call_(call), correlation_(call.cone, call.tau) {}

  void layout(Arena& arena) {
    const std::int64_t cells = call_.cone.size * call_.cone.size;
    correlation_.layout(arena);
    map_ = arena.take<Doubles>(cells);
    scores_ = arena.take<Doubles>(cells + 1);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    const std::int64_t cells = call_.cone.size * call_.cone.size;
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t first = item * kDoubleLanes;
      const std::int64_t lanes = call_.maps - first < kDoubleLanes ? call_.maps - first : kDoubleLanes;
      gather_maps(call_.x + first * cells, cells, lanes, cells, map_);
      scores_[cells] = correlation_.run(map_, Doubles{}, scores_) * -call_.tau;
      scatter_maps(scores_, cells + 1, lanes, cells + 1, call_.scores + first * (cells + 1));
    }
    return US_OK;
  }

 private:
  const Call& call_;
  ConeCorrelation correlation_;
  Doubles* map_ = nullptr;
  Doubles* scores_ = nullptr;
};

}  // namespace

us_status template_scores(const us_execution* execution, const us_mi_params* params, const float* x, float* scores) {
  const std::int64_t maps = params->batch * params->channels;
  const Call call{cone_of(*params), params->tau, maps, x, scores};
  const std::int64_t items = (maps + kDoubleLanes - 1) / kDoubleLanes;
  return run_rows<Worker>(*execution, items, template_count(*params) * kDoubleLanes * 8, call);
}

}  // namespace us::cpu::US_ISA
