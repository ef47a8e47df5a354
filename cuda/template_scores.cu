#include "unitscope/template_scores.h"

#include "cone.cuh"
#include "kernels.cuh"

namespace us::cuda {

us_status template_scores(const us_execution* execution, const us_mi_params* params, const float* x, float* scores) {
  const Filters filters = filters_of(*params);
  if (filters.maps() == 0) return US_OK;
  launch(scores_kernel<float>, map_blocks(filters.maps()), kThreads, 0, stream_of(execution), filters, x, scores);
  return launched("template_scores");
}

}  // namespace us::cuda
