#include <cmath>
#include <limits>

#include "core/checks.hpp"
#include "core/error.hpp"
#include "core/spans.hpp"

namespace us {
namespace {

us_status check_params(const us_lasso_params* params) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const us_lasso_params& p = *params;
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (p.rows < 0 || p.rows > kMost || p.features < 0 || p.features > kMost || p.problems < 0 || p.problems >= kMost ||
      p.members < 0 || p.members > kMost) {
    return fail(US_INVALID_ARGUMENT,
                "rows, features, problems and members must be from 0 to 2^31 - 1, they are %lld, %lld, %lld and %lld",
                (long long)p.rows, (long long)p.features, (long long)p.problems, (long long)p.members);
  }
  if (!(p.tolerance >= 0 && std::isfinite(p.tolerance))) {
    return fail(US_INVALID_ARGUMENT, "tolerance must be at least 0 and finite, it is %g", p.tolerance);
  }
  if (p.max_sweeps < 1) {
    return fail(US_INVALID_ARGUMENT, "max_sweeps must be at least 1, it is %d", (int)p.max_sweeps);
  }
  // Below this every count of bytes, the scratch memory's too, stays far below 2^63.
  constexpr std::int64_t kMostElements = std::int64_t{1} << 50;
  if (p.rows * p.features > kMostElements || p.problems * p.features > kMostElements ||
      p.members * p.features > kMostElements) {
    return fail(US_INVALID_ARGUMENT, "the sizes describe more elements than can be counted");
  }
  return US_OK;
}

us_status check_offsets(const us_lasso_params& params, const std::int32_t* offsets) {
  if (offsets[0] != 0) return fail(US_BAD_INPUT, "offsets must begin with 0, they begin with %d", (int)offsets[0]);
  for (std::int64_t b = 0; b < params.problems; ++b) {
    if (offsets[b + 1] > offsets[b]) continue;
    return fail(US_BAD_INPUT, "offsets must rise, so that every problem has a member; problem %lld is from %d to %d",
                (long long)b, (int)offsets[b], (int)offsets[b + 1]);
  }
  if (offsets[params.problems] != params.members) {
    return fail(US_BAD_INPUT, "offsets must end with the number of members, %lld, they end with %d",
                (long long)params.members, (int)offsets[params.problems]);
  }
  return US_OK;
}

}  // namespace

us_status check_lasso(const us_lasso_params* params, const float* x, const float* y, const float* scale,
                      const int32_t* offsets, const int32_t* member, const double* lambda, double* coefficients,
                      double* intercept, int32_t* sweeps, double* gap) {
  const us_status status = check_params(params);
  if (status != US_OK) return status;
  constexpr std::int64_t kFloat = sizeof(float);
  constexpr std::int64_t kDouble = sizeof(double);
  constexpr std::int64_t kInt = sizeof(std::int32_t);
  const us_lasso_params& p = *params;
  return check_array_spans<10>({{"x", x, p.rows * p.features * kFloat, false},
                                {"y", y, p.rows * kFloat, false},
                                {"scale", scale, p.problems * p.features * kFloat, false},
                                {"offsets", offsets, (p.problems + 1) * kInt, false},
                                {"member", member, p.members * kInt, false},
                                {"lambda", lambda, p.problems * kDouble, false},
                                {"coefficients", coefficients, p.problems * p.features * kDouble, true},
                                {"intercept", intercept, p.problems * kDouble, true},
                                {"sweeps", sweeps, p.problems * kInt, true},
                                {"gap", gap, p.problems * kDouble, true}});
}

}  // namespace us

us_status us_lasso_check_problems(const us_lasso_params* params, const int32_t* offsets, const int32_t* member,
                                  const double* lambda) {
  us_status status = us::check_params(params);
  if (status == US_OK && offsets != nullptr) status = us::check_offsets(*params, offsets);
  if (status != US_OK) return status;
  for (std::int64_t i = 0; member != nullptr && i < params->members; ++i) {
    if (member[i] >= 0 && member[i] < params->rows) continue;
    return us::fail(US_BAD_INPUT, "member %lld is row %d, but rows are from 0 to %lld", (long long)i, (int)member[i],
                    (long long)params->rows - 1);
  }
  for (std::int64_t b = 0; lambda != nullptr && b < params->problems; ++b) {
    if (lambda[b] >= 0 && std::isfinite(lambda[b])) continue;
    return us::fail(US_BAD_INPUT, "lambda must be at least 0 and finite, that of problem %lld is %g", (long long)b,
                    lambda[b]);
  }
  return US_OK;
}
