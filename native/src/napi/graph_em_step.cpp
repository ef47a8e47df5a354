#include <limits>

#include "napi/bindings.hpp"

namespace us::node {
namespace {

us_graph_params params_of(const Arguments& from) {
  const auto size = [&](const char* name) {
    return static_cast<std::int32_t>(from.integer(name, 0, std::numeric_limits<std::int32_t>::max()));
  };
  us_graph_params params{};
  params.images = size("images");
  params.channels = size("channels");
  params.height = size("height");
  params.width = size("width");
  params.nodes = size("nodes");
  params.range = from.number("range");
  params.smoothing = from.number("smoothing");
  params.tau = from.number("tau");
  return params;
}

/// { images, channels, height, width, nodes, range, smoothing, tau, x: Float32Array,
///   coord, sigma, priorSigma: Float64Array, withPriors: 0 | 1,
///   priorOffset, priorWeight: Float32Array (empty if not withPriors), sums: Float64Array (updated),
///   position, score: Float32Array (written), tauOfImage: Float64Array (written) }
struct GraphEmStep final : Job {
  explicit GraphEmStep(Arguments& from)
      : params(params_of(from)),
        count(from.count({params.channels, params.nodes})),
        seen(from.count({params.images, count})),
        with_priors(from.integer("withPriors", 0, 1) != 0),
        x(from.input<float>("x", from.count({params.images, params.channels, params.height, params.width}))),
        coord(from.input<double>("coord", from.count({2, count}))),
        sigma(from.input<double>("sigma", count)),
        prior_sigma(from.input<double>("priorSigma", count)),
        prior_offset(from.input<float>("priorOffset", with_priors ? from.count({2, seen}) : 0)),
        prior_weight(from.input<float>("priorWeight", with_priors ? seen : 0)),
        sums(from.updated<double>("sums", from.count({US_GRAPH_SUMS, count}))),
        position(from.output<float>("position", from.count({2, seen}))),
        score(from.output<float>("score", seen)),
        tau_of_image(from.output<double>("tauOfImage", params.images)) {}

  us_status run(const us_execution& execution) override {
    return us_graph_em_step(&execution, &params, x.as<float>(), coord.as<double>(), sigma.as<double>(),
                            prior_sigma.as<double>(), with_priors ? prior_offset.as<float>() : nullptr,
                            with_priors ? prior_weight.as<float>() : nullptr, sums.as<double>(), position.as<float>(),
                            score.as<float>(), tau_of_image.as<double>());
  }

  us_graph_params params;
  std::int64_t count;
  std::int64_t seen;
  bool with_priors;
  Buffer& x;
  Buffer& coord;
  Buffer& sigma;
  Buffer& prior_sigma;
  Buffer& prior_offset;
  Buffer& prior_weight;
  Buffer& sums;
  Buffer& position;
  Buffer& score;
  Buffer& tau_of_image;
};

}  // namespace

std::unique_ptr<Job> bind_graph_em_step(Arguments& from) { return std::make_unique<GraphEmStep>(from); }

}  // namespace us::node
