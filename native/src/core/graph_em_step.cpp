#include "core/graph_em_step.hpp"

#include <cmath>
#include <initializer_list>

#include "core/checks.hpp"
#include "core/error.hpp"
#include "core/spans.hpp"

namespace us {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 50;

/// The product of sizes, or -1 if it is more than can be counted.
std::int64_t product_of(std::initializer_list<std::int64_t> sizes) {
  std::int64_t product = 1;
  for (const std::int64_t size : sizes) {
    if (__builtin_mul_overflow(product, size, &product) || product > kMaxElements) return -1;
  }
  return product;
}

us_status check_params(const us_graph_params* params) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const us_graph_params& p = *params;
  if (p.images < 0 || p.channels < 0 || p.nodes < 0) {
    return fail(US_INVALID_ARGUMENT, "images, channels and nodes must not be negative, they are %lld, %lld and %d",
                (long long)p.images, (long long)p.channels, (int)p.nodes);
  }
  if (p.height < 1 || p.width < 1) {
    return fail(US_INVALID_ARGUMENT, "maps must have at least one cell, they have %d x %d", (int)p.height,
                (int)p.width);
  }
  if (!(p.smoothing > 0 && std::isfinite(p.smoothing)) || !(p.tau >= 0 && std::isfinite(p.tau))) {
    return fail(US_INVALID_ARGUMENT, "smoothing must be above 0, tau at least 0, both finite; they are %g and %g",
                p.smoothing, p.tau);
  }
  if (!(p.range >= 0 && std::isfinite(p.range))) {
    return fail(US_INVALID_ARGUMENT, "range must be at least 0 and finite, it is %g", p.range);
  }
  if (p.range + 0.5 >= US_GRAPH_MAX_RADIUS + 1) {
    return fail(US_UNSUPPORTED, "a search range of %g cells is too large; at most %d are possible", p.range,
                US_GRAPH_MAX_RADIUS);
  }
  const std::int64_t cells = static_cast<std::int64_t>(p.height) * p.width;
  if (product_of({p.images, p.channels, cells}) < 0 || product_of({p.channels, p.nodes}) < 0 ||
      product_of({p.images, p.channels, p.nodes}) < 0) {
    return fail(US_INVALID_ARGUMENT, "the sizes describe more elements than can be counted");
  }
  return US_OK;
}

}  // namespace

us_status check_graph_em_step(const us_graph_params* params, const float* x, const double* coord, const double* sigma,
                              const double* prior_sigma, const float* prior_offset, const float* prior_weight,
                              double* sums, float* position, float* score, double* tau_of_image) {
  const us_status status = check_params(params);
  if (status != US_OK) return status;
  constexpr std::int64_t kFloat = sizeof(float);
  constexpr std::int64_t kDouble = sizeof(double);
  const us_graph_params& p = *params;
  const std::int64_t cells = static_cast<std::int64_t>(p.height) * p.width;
  const std::int64_t nodes = p.channels * p.nodes;
  const std::int64_t seen = p.images * nodes;
  return check_array_spans<10>(
      {{"x", x, p.images * p.channels * cells * kFloat, false},
       {"coord", coord, 2 * nodes * kDouble, false},
       {"sigma", sigma, nodes * kDouble, false},
       {"prior_sigma", prior_sigma, nodes * kDouble, false},
       {"prior_offset", prior_offset, prior_offset == nullptr ? 0 : 2 * seen * kFloat, false},
       {"prior_weight", prior_weight, prior_weight == nullptr ? 0 : seen * kFloat, false},
       {"sums", sums, US_GRAPH_SUMS * nodes * kDouble, true},
       {"position", position, 2 * seen * kFloat, true},
       {"score", score, seen * kFloat, true},
       {"tau_of_image", tau_of_image, p.images * kDouble, true}});
}

}  // namespace us
