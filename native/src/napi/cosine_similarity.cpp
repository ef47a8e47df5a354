#include "napi/bindings.hpp"

namespace us::node {
namespace {

us_cosine_params params_of(const Arguments& from) {
  constexpr std::int64_t kMaxSize = (std::int64_t{1} << 53) - 1;
  return {from.integer("m", 0, kMaxSize), from.integer("n", 0, kMaxSize), from.integer("k", 0, kMaxSize)};
}

/// { m, n, k, a, b: Float32Array, c: Float32Array (written) }
struct CosineSimilarity final : Job {
  explicit CosineSimilarity(Arguments& from)
      : params(params_of(from)),
        a(from.input<float>("a", from.count({params.m, params.k}))),
        b(from.input<float>("b", from.count({params.n, params.k}))),
        c(from.output<float>("c", from.count({params.m, params.n}))) {}

  us_status run(const us_execution& execution) override {
    return us_cosine_similarity(&execution, &params, a.as<float>(), b.as<float>(), c.as<float>());
  }

  us_cosine_params params;
  Buffer& a;
  Buffer& b;
  Buffer& c;
};

}  // namespace

std::unique_ptr<Job> bind_cosine_similarity(Arguments& from) { return std::make_unique<CosineSimilarity>(from); }

}  // namespace us::node
