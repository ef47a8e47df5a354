#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "napi/bindings.hpp"

namespace us::node {
namespace {

us_top_quantile_params params_of(const Arguments& from) {
  constexpr std::int64_t kMaxSize = std::numeric_limits<std::int32_t>::max();
  us_top_quantile_params params{};
  params.images = from.integer("images", 0, kMaxSize);
  params.cells = from.integer("cells", 0, kMaxSize);
  params.units = static_cast<std::int32_t>(from.integer("units", 0, kMaxSize));
  params.keep = static_cast<std::int32_t>(from.integer("keep", 1, kMaxSize));
  params.capacity = static_cast<std::int32_t>(from.integer("capacity", 1, kMaxSize));
  return params;
}

/// { images, units, cells, keep, capacity, values: Float32Array, kept, cutoff: Float32Array (updated),
///   filled: Int32Array (updated) }
struct TopQuantile final : Job {
  explicit TopQuantile(Arguments& from)
      : params(params_of(from)),
        count(from.count({params.images, params.units, params.cells})),
        values(from.input<float>("values", count)),
        values_on_host(values.as<float>()),
        kept(from.updated<float>("kept", from.count({params.units, params.capacity}))),
        filled(from.updated<std::int32_t>("filled", params.units)),
        filled_on_host(filled.as<std::int32_t>()),
        cutoff(from.updated<float>("cutoff", params.units)) {}

  us_status run(const us_execution& execution) override {
    // The CPU checks while it reads; a device does not.
    if (execution.backend != US_BACKEND_CPU && !is_good()) {
      return fail(US_BAD_INPUT, "a value is NaN, or a buffer's filled part is out of range");
    }
    return us_top_quantile(&execution, &params, values.as<float>(), kept.as<float>(), filled.as<std::int32_t>(),
                           cutoff.as<float>());
  }

  bool is_good() const {
    for (std::int64_t i = 0; i < count; ++i) {
      if (std::isnan(values_on_host[i])) return false;
    }
    for (std::int32_t unit = 0; unit < params.units; ++unit) {
      if (filled_on_host[unit] < 0 || filled_on_host[unit] > params.capacity) return false;
    }
    return true;
  }

  us_top_quantile_params params;
  std::int64_t count;
  Buffer& values;
  const float* values_on_host;
  Buffer& kept;
  Buffer& filled;
  const std::int32_t* filled_on_host;
  Buffer& cutoff;
};

}  // namespace

std::unique_ptr<Job> bind_top_quantile(Arguments& from) { return std::make_unique<TopQuantile>(from); }

}  // namespace us::node
