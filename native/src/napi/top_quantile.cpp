#include <cmath>
#include <limits>
#include <vector>

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
        kept(from.updated<float>("kept", from.count({params.units, params.capacity}))),
        filled(from.updated<std::int32_t>("filled", params.units)),
        cutoff(from.updated<float>("cutoff", params.units)) {}

  us_status run(const us_execution& execution) override {
    if (execution.backend != US_BACKEND_CPU) {
      const us_status status = check(execution);
      if (status != US_OK) return status;
    }
    return us_top_quantile(&execution, &params, values.as<float>(), kept.as<float>(), filled.as<std::int32_t>(),
                           cutoff.as<float>());
  }

  /// The CPU checks while it reads. A device does not, and a NaN that it drops would be counted all the same, so values
  /// that lie there are fetched.
  us_status check(const us_execution& execution) const {
    const auto* const filled_on_host = filled.on_host<std::int32_t>();
    if (filled_on_host == nullptr && params.units > 0) {
      return fail(US_INVALID_ARGUMENT, "filled must be a typed array, because it is checked before the call");
    }
    for (std::int32_t unit = 0; unit < params.units; ++unit) {
      if (filled_on_host[unit] >= 0 && filled_on_host[unit] <= params.capacity) continue;
      return fail(US_BAD_INPUT, "the filled part of a buffer is out of range");
    }
    const auto* values_on_host = values.on_host<float>();
    std::vector<float> fetched;
    if (values_on_host == nullptr) {
      fetched.resize(static_cast<std::size_t>(count));
      const std::size_t bytes = fetched.size() * sizeof(float);
      us_status status = us_memory_copy(&execution, US_COPY_TO_HOST, fetched.data(), values.as<float>(), bytes);
      if (status == US_OK) status = us_synchronize(&execution);
      if (status != US_OK) return status;
      values_on_host = fetched.data();
    }
    for (std::int64_t i = 0; i < count; ++i) {
      if (std::isnan(values_on_host[i])) return fail(US_BAD_INPUT, "a value is NaN");
    }
    return US_OK;
  }

  us_top_quantile_params params;
  std::int64_t count;
  Buffer& values;
  Buffer& kept;
  Buffer& filled;
  Buffer& cutoff;
};

}  // namespace

std::unique_ptr<Job> bind_top_quantile(Arguments& from) { return std::make_unique<TopQuantile>(from); }

}  // namespace us::node
