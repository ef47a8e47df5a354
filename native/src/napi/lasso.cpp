#include <limits>

#include "napi/bindings.hpp"

namespace us::node {
namespace {

us_lasso_params params_of(const Arguments& from) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  us_lasso_params params{};
  params.rows = from.integer("rows", 0, kMost);
  params.features = from.integer("features", 0, kMost);
  params.problems = from.integer("problems", 0, kMost - 1);
  params.members = from.integer("members", 0, kMost);
  params.tolerance = from.number("tolerance");
  params.max_sweeps = static_cast<std::int32_t>(from.integer("maxSweeps", 1, kMost));
  return params;
}

/// { rows, features, problems, members, tolerance, maxSweeps, x, y, scale: Float32Array, offsets, member: Int32Array,
///   lambda: Float64Array, coefficients: Float64Array (updated), intercept: Float64Array, sweeps: Int32Array,
///   gap: Float64Array (written) }
struct Lasso final : Job {
  explicit Lasso(Arguments& from)
      : params(params_of(from)),
        x(from.input<float>("x", from.count({params.rows, params.features}))),
        y(from.input<float>("y", params.rows)),
        scale(from.input<float>("scale", from.count({params.problems, params.features}))),
        offsets(from.input<std::int32_t>("offsets", params.problems + 1)),
        member(from.input<std::int32_t>("member", params.members)),
        lambda(from.input<double>("lambda", params.problems)),
        coefficients(from.updated<double>("coefficients", from.count({params.problems, params.features}))),
        intercept(from.output<double>("intercept", params.problems)),
        sweeps(from.output<std::int32_t>("sweeps", params.problems)),
        gap(from.output<double>("gap", params.problems)) {}

  us_status run(const us_execution& execution) override {
    if (execution.backend != US_BACKEND_CPU) {
      // The CPU checks these itself. A device does not refuse what is wrong, but it cannot be harmed by it.
      const us_status status =
          us_lasso_check_problems(&params, offsets.on_host<std::int32_t>(), member.on_host<std::int32_t>(),
                                  lambda.on_host<double>());
      if (status != US_OK) return status;
    }
    return us_lasso(&execution, &params, x.as<float>(), y.as<float>(), scale.as<float>(), offsets.as<std::int32_t>(),
                    member.as<std::int32_t>(), lambda.as<double>(), coefficients.as<double>(), intercept.as<double>(),
                    sweeps.as<std::int32_t>(), gap.as<double>());
  }

  us_lasso_params params;
  Buffer& x;
  Buffer& y;
  Buffer& scale;
  Buffer& offsets;
  Buffer& member;
  Buffer& lambda;
  Buffer& coefficients;
  Buffer& intercept;
  Buffer& sweeps;
  Buffer& gap;
};

}  // namespace

std::unique_ptr<Job> bind_lasso(Arguments& from) { return std::make_unique<Lasso>(from); }

}  // namespace us::node
