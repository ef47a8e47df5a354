#include "unitscope/mi_loss.h"

#include "cpu/filter_statistics.hpp"
#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

struct Call {
  FilterBatch filters;
  float* loss;
};

/// One item is as many filters as a vector has lanes.
class Worker {
 public:
  explicit Worker(const Call& call) : call_(call), statistics_(call.filters) {}

  void layout(Arena& arena) { statistics_.layout(arena); }

  us_status run(std::int64_t begin, std::int64_t end) {
    const FilterBatch& filters = call_.filters;
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t channel = item * kDoubleLanes;
      statistics_.find(channel);
      const Doubles information = statistics_.mutual_information();
      for (std::int64_t lane = 0; lane < filters.lanes_from(channel); ++lane) {
        call_.loss[channel + lane] = static_cast<float>(0.0 - information[lane]);
      }
    }
    return US_OK;
  }

 private:
  const Call& call_;
  FilterStatistics statistics_;
};

}  // namespace

us_status mi_loss(const us_execution* execution, const us_mi_params* params, const float* x, const float* log_z, float* loss) {
  if (params->batch == 0) {
    for (std::int64_t channel = 0; channel < params->channels; ++channel) loss[channel] = 0;
    return US_OK;
  }
  const Call call{filter_batch(*params, x, log_z), loss};
  const std::int64_t cost = params->batch * template_count(*params) * kDoubleLanes * 16;
  return run_rows<Worker>(*execution, call.filters.groups(), cost, call);
}

}  // namespace us::cpu::US_ISA
