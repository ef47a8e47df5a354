#include "napi/bindings.hpp"

namespace us::node {
namespace {

/// { batch, channels, size, tau, beta, alpha, x: Float32Array, scores: Float32Array (written) }
struct TemplateScores final : Job {
  explicit TemplateScores(Arguments& from)
      : params(from.mutual_information()),
        maps(from.count({params.batch, params.channels})),
        cells(from.count({params.size, params.size})),
        x(from.input<float>("x", from.count({maps, cells}))),
        scores(from.output<float>("scores", from.count({maps, cells + 1}))) {}

  us_status run(const us_execution& execution) override {
    return us_template_scores(&execution, &params, x.as<float>(), scores.as<float>());
  }

  us_mi_params params;
  std::int64_t maps;
  std::int64_t cells;
  Buffer& x;
  Buffer& scores;
};

}  // namespace

std::unique_ptr<Job> bind_template_scores(Arguments& from) { return std::make_unique<TemplateScores>(from); }

}  // namespace us::node
