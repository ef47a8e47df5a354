#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "harness.hpp"

namespace {

enum class Rows { kNormal, kRelu, kTies, kEqual, kNan };

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Plain arrays of one call; what is started from and what comes back.
struct Lassos {
  us_lasso_params params{};
  std::vector<float> x, y, scale;
  std::vector<std::int32_t> offsets, member;
  std::vector<double> lambda, start;
};

struct Results {
  std::vector<double> coefficients, intercept, gap;
  std::vector<std::int32_t> sweeps;
};

float value_of(Rows rows, Generator& generator) {
  // The sum of a few is nearer to what features are than one.
  const float value = generator.real() + generator.real() + generator.real();
  if (rows == Rows::kRelu) return std::max(0.0F, value - 0.5F);
  if (rows == Rows::kTies) return std::round(value);
  return value;
}

Lassos make_lassos(Rows rows, std::uint32_t seed) {
  Generator generator(seed);
  Lassos in;
  us_lasso_params& p = in.params;
  p.rows = generator.integer(1, 40);
  p.features = generator.integer(0, 12);
  p.problems = generator.integer(0, 6);
  p.tolerance = seed % 3 == 0 ? 1e-4 : 1e-9;
  p.max_sweeps = seed % 5 == 0 ? generator.integer(1, 12) : 300;
  for (std::int64_t i = 0; i < p.rows * p.features; ++i) in.x.push_back(value_of(rows, generator));
  for (std::int64_t i = 0; i < p.rows; ++i) in.y.push_back(rows == Rows::kEqual ? 0.75F : 2 * generator.real() + 1);
  for (std::int64_t i = 0; i < p.problems * p.features; ++i) {
    in.scale.push_back(generator.integer(0, 9) == 0 ? 0.0F : 3 * generator.real());
    in.start.push_back(seed % 2 == 0 ? 0.0 : static_cast<double>(generator.real()));
  }
  in.offsets.push_back(0);
  for (std::int64_t b = 0; b < p.problems; ++b) {
    const int count = generator.integer(1, generator.integer(1, 70));
    for (int i = 0; i < count; ++i) in.member.push_back(generator.integer(0, static_cast<int>(p.rows) - 1));
    in.offsets.push_back(static_cast<std::int32_t>(in.member.size()));
    constexpr double kLambdas[] = {0, 1e-3, 0.02, 0.2, 100};
    in.lambda.push_back(kLambdas[generator.integer(0, 4)]);
  }
  p.members = static_cast<std::int64_t>(in.member.size());
  if (rows == Rows::kNan && !in.x.empty()) in.x[generator.next() % in.x.size()] = std::numeric_limits<float>::quiet_NaN();
  return in;
}

us_status run(Report& report, us_backend backend, int threads, std::size_t shift, const Lassos& in, Results& out) {
  const us_execution execution{backend, threads, nullptr};
  const auto problems = static_cast<std::size_t>(in.params.problems);
  GuardedArray<float> x(in.x.size(), shift, in.x);
  GuardedArray<float> y(in.y.size(), shift, in.y);
  GuardedArray<float> scale(in.scale.size(), shift, in.scale);
  GuardedArray<std::int32_t> offsets(in.offsets.size(), shift, in.offsets);
  GuardedArray<std::int32_t> member(in.member.size(), shift, in.member);
  GuardedArray<double> lambda(problems, shift, in.lambda);
  GuardedArray<double> coefficients(in.start.size(), shift, in.start);
  GuardedArray<double> intercept(problems, shift);
  GuardedArray<std::int32_t> sweeps(problems, shift);
  GuardedArray<double> gap(problems, shift);
  us_status status = US_OK;
  {
    const OnBackend<float> on_x(execution, x);
    const OnBackend<float> on_y(execution, y);
    const OnBackend<float> on_scale(execution, scale);
    const OnBackend<std::int32_t> on_offsets(execution, offsets);
    const OnBackend<std::int32_t> on_member(execution, member);
    const OnBackend<double> on_lambda(execution, lambda);
    const OnBackend<double> on_coefficients(execution, coefficients);
    const OnBackend<double> on_intercept(execution, intercept);
    const OnBackend<std::int32_t> on_sweeps(execution, sweeps);
    const OnBackend<double> on_gap(execution, gap);
    status = us_lasso(&execution, &in.params, on_x.get(), on_y.get(), on_scale.get(), on_offsets.get(), on_member.get(),
                      on_lambda.get(), on_coefficients.get(), on_intercept.get(), on_sweeps.get(), on_gap.get());
  }
  report.check(coefficients.is_intact() && intercept.is_intact() && sweeps.is_intact() && gap.is_intact(),
               "lasso: wrote outside its outputs");
  out.coefficients.assign(coefficients.data(), coefficients.data() + coefficients.size());
  out.intercept.assign(intercept.data(), intercept.data() + problems);
  out.sweeps.assign(sweeps.data(), sweeps.data() + problems);
  out.gap.assign(gap.data(), gap.data() + problems);
  return status;
}

/// What the definition says of some coefficients and an intercept, and how far rounding may have moved it.
struct Certificate {
  double objective = 0;  // times n
  double objective_bound = 0;
  double mean = 0;       // of the residual: 0 for the best intercept
  double gap = 0;
  double gap_bound = 0;
  double variation = 0;
  double mean_bound = 0;
};

Certificate certify(const Lassos& in, std::size_t problem, const double* alpha, double intercept) {
  const auto features = static_cast<std::size_t>(in.params.features);
  const auto first = static_cast<std::size_t>(in.offsets[problem]);
  const std::size_t n = static_cast<std::size_t>(in.offsets[problem + 1]) - first;
  const auto count = static_cast<double>(n);
  const float* const scale = in.scale.data() + problem * features;
  const auto row = [&](std::size_t i) { return static_cast<std::size_t>(in.member[first + i]); };
  const auto x = [&](std::size_t i, std::size_t d) { return static_cast<double>(in.x[row(i) * features + d]); };
  const auto y = [&](std::size_t i) { return static_cast<double>(in.y[row(i)]); };
  Certificate found;
  double mean_y = 0;
  for (std::size_t i = 0; i < n; ++i) mean_y += y(i) / count;
  std::vector<double> residual(n), size(n);
  double left = 0, common = 0, l1 = 0, all = 0;
  for (std::size_t d = 0; d < features; ++d) l1 += std::fabs(alpha[d]);
  for (std::size_t i = 0; i < n; ++i) {
    residual[i] = y(i) - intercept;
    size[i] = std::fabs(y(i)) + std::fabs(intercept) + std::fabs(mean_y);
    for (std::size_t d = 0; d < features; ++d) {
      const double term = alpha[d] * static_cast<double>(scale[d]) * x(i, d);
      residual[i] -= term;
      size[i] += 2 * std::fabs(term);
    }
    found.mean += residual[i] / count;
    left += residual[i] * residual[i];
    common += residual[i] * (y(i) - mean_y);
    found.variation += (y(i) - mean_y) * (y(i) - mean_y);
    all += size[i] * size[i];
  }
  const double rounding = std::ldexp(count + static_cast<double>(features) + 100, -52);
  found.mean_bound = rounding * std::sqrt(all);
  const double penalty = count * in.lambda[problem] * l1;
  found.objective = left + penalty;
  found.objective_bound = rounding * 8 * (all + penalty);
  double largest = 0, spread = 0, correlation = 0, spread_of_correlation = 0;
  for (std::size_t d = 0; d < features; ++d) {
    double mean = 0;
    for (std::size_t i = 0; i < n; ++i) mean += x(i, d) / count;
    double product = 0, square = 0, terms = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double f = static_cast<double>(scale[d]) * (x(i, d) - mean);
      product += f * residual[i];
      square += f * f;
      terms += std::fabs(static_cast<double>(scale[d])) * (std::fabs(x(i, d)) + std::fabs(mean)) * size[i];
    }
    if (square <= 1e-20) continue;
    largest = std::max(largest, std::fabs(product));
    spread = std::max(spread, terms);
    correlation = std::max(correlation, std::fabs(product) / std::sqrt(square * found.variation));
    spread_of_correlation = std::max(spread_of_correlation, terms / std::sqrt(square * found.variation));
  }
  if (in.lambda[problem] == 0) {
    found.gap = correlation;
    found.gap_bound = rounding * 2 * spread_of_correlation;
    return found;
  }
  const double limit = in.lambda[problem] * count / 2;
  const double best = left > 0 ? common / left : 0;
  const double most = largest > 0 ? limit / largest : std::fabs(best);
  const double factor = std::min(std::max(best, -most), most);
  found.gap = (found.objective - 2 * factor * common + factor * factor * left) / found.variation;
  const double of_factor = largest > 0 ? std::fabs(factor * common) * spread / largest : 0;
  found.gap_bound = rounding * 8 * (all + penalty + std::fabs(factor) * all + of_factor) / found.variation;
  return found;
}

void check_problem(Report& report, const Lassos& in, const Results& out, std::size_t problem, std::uint32_t seed) {
  const auto features = static_cast<std::size_t>(in.params.features);
  const double* const alpha = out.coefficients.data() + problem * features;
  const int b = static_cast<int>(problem);
  bool has_nan = false;
  for (std::int32_t i = in.offsets[problem]; i < in.offsets[problem + 1]; ++i) {
    const auto from = in.x.begin() + in.member[static_cast<std::size_t>(i)] * in.params.features;
    has_nan = has_nan || std::any_of(from, from + in.params.features, [](float value) { return std::isnan(value); });
  }
  if (has_nan) {
    bool spread = std::isnan(out.intercept[problem]) && std::isnan(out.gap[problem]) && out.sweeps[problem] == 0;
    for (std::size_t d = 0; d < features; ++d) spread = spread && std::isnan(alpha[d]);
    report.check(spread, "lasso %u: NaN among the members of problem %d does not show", seed, b);
    return;
  }
  const Certificate end = certify(in, problem, alpha, out.intercept[problem]);
  report.check(std::fabs(end.mean) <= end.mean_bound, "lasso %u: problem %d has an intercept that is off by %g", seed, b,
               end.mean);
  if (end.variation == 0) {
    const bool zero = std::all_of(alpha, alpha + features, [](double value) { return value == 0; });
    report.check(zero && out.gap[problem] == 0, "lasso %u: problem %d explains what does not vary", seed, b);
    return;
  }
  report.check(std::fabs(out.gap[problem] - end.gap) <= end.gap_bound, "lasso %u: problem %d says gap %.17g, it is %.17g",
               seed, b, out.gap[problem], end.gap);
  const bool done = out.gap[problem] <= in.params.tolerance || out.sweeps[problem] == in.params.max_sweeps;
  report.check(done, "lasso %u: problem %d ended after %d sweeps at gap %g", seed, b, (int)out.sweeps[problem],
               out.gap[problem]);
  // From zero the objective is n times the variance.
  const bool from_zero = seed % 2 == 0;
  report.check(!from_zero || end.objective <= end.variation + end.objective_bound, "lasso %u: problem %d went up", seed, b);
}

void test_problems(Report& report, us_backend backend) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    const Lassos in = make_lassos(static_cast<Rows>(seed % 5), seed);
    Results out;
    const us_status status = run(report, backend, static_cast<int>(seed % 4), seed % 3, in, out);
    if (!report.check(status == US_OK, "lasso %u: %s", seed, us_last_error_message())) continue;
    for (std::size_t b = 0; b < in.lambda.size(); ++b) check_problem(report, in, out, b, seed);
  }
}

/// Two features that are orthogonal and have mean 0: each coefficient is soft(<f, y>, lambda n / 2) / |f|^2.
void test_closed_form(Report& report, us_backend backend) {
  Lassos in;
  in.params = {4, 2, 3, 12, 0, 100};
  in.x = {1, 1, 1, -1, -1, 1, -1, -1};
  in.y = {5, 1, 2, 0};
  in.scale = {1, 1, 2, -1, 0.5F, 0};
  in.offsets = {0, 4, 8, 12};
  in.member = {0, 1, 2, 3, 3, 2, 1, 0, 1, 3, 0, 2};
  in.lambda = {1, 1, 0};
  in.start = {0, 0, 7, -9, 1, 1};
  // <f, y> of the features as they are: 4 and 6; |f|^2 = 4.
  const double expected[] = {(4 - 2) / 4.0, (6 - 2) / 4.0, (8 - 2) / 16.0, -(6 - 2) / 4.0, 2 / 1.0, 0};
  Results out;
  const us_status status = run(report, backend, 1, 0, in, out);
  report.check(status == US_OK, "lasso in closed form: %s", us_last_error_message());
  for (std::size_t i = 0; i < 6; ++i) {
    report.check(std::fabs(out.coefficients[i] - expected[i]) <= 1e-15, "lasso in closed form: [%zu] is %.17g, not %.17g",
                 i, out.coefficients[i], expected[i]);
  }
  for (const double intercept : out.intercept) report.check(intercept == 2, "lasso in closed form: intercept %g", intercept);
}

void test_threads(Report& report) {
  Lassos in = make_lassos(Rows::kRelu, 33);
  Generator generator(7);
  in.params.problems = 40;
  in.params.max_sweeps = 100;
  in.offsets = {0};
  in.member.clear();
  in.lambda.assign(40, 0.01);
  in.scale.assign(static_cast<std::size_t>(40 * in.params.features), 1.5F);
  in.start.assign(in.scale.size(), 0.0);
  for (int b = 0; b < 40; ++b) {
    for (int i = 0; i < 500; ++i) in.member.push_back(generator.integer(0, static_cast<int>(in.params.rows) - 1));
    in.offsets.push_back(static_cast<std::int32_t>(in.member.size()));
  }
  in.params.members = static_cast<std::int64_t>(in.member.size());
  Results one, many;
  report.check(run(report, US_BACKEND_CPU, 1, 0, in, one) == US_OK, "lasso on one thread");
  report.check(run(report, US_BACKEND_CPU, 5, 1, in, many) == US_OK, "lasso on five threads");
  report.check(one.coefficients == many.coefficients && one.intercept == many.intercept && one.gap == many.gap &&
                   one.sweeps == many.sweeps,
               "lasso on five threads differs from that on one");
}

Lassos good_lassos() {
  Lassos in;
  in.params = {3, 2, 2, 4, 1e-6, 10};
  in.x = {1, 2, 3, 4, 5, 7};
  in.y = {1, 2, 4};
  in.scale = {1, 1, 1, 1};
  in.offsets = {0, 2, 4};
  in.member = {0, 1, 1, 2};
  in.lambda = {0.1, 0};
  in.start = {0, 0, 0, 0};
  return in;
}

/// Arrays that are wrong: refused on the CPU, NaN on a device.
void test_wrong_problems(Report& report, us_backend backend) {
  using Spoil = void (*)(Lassos&);
  const Spoil spoils[] = {
      [](Lassos& in) { in.offsets = {1, 2, 4}; },
      [](Lassos& in) { in.offsets = {0, 2, 3}; },
      [](Lassos& in) { in.offsets = {0, 0, 4}; },
      [](Lassos& in) { in.offsets = {0, 5, 4}; },
      [](Lassos& in) { in.offsets = {0, -1, 4}; },
      [](Lassos& in) { in.member[1] = 3; },
      [](Lassos& in) { in.member[0] = -1; },
      [](Lassos& in) { in.lambda[0] = -0.5; },
      [](Lassos& in) { in.lambda[0] = kNan; },
      [](Lassos& in) { in.lambda[0] = std::numeric_limits<double>::infinity(); },
  };
  int number = 0;
  for (const Spoil spoil : spoils) {
    Lassos in = good_lassos();
    spoil(in);
    Results out;
    const us_status status = run(report, backend, 1, 0, in, out);
    if (backend == US_BACKEND_CPU) {
      report.check(status == US_BAD_INPUT && out.coefficients == in.start, "wrong lasso %d is refused", number);
    } else {
      report.check(status == US_OK && std::isnan(out.coefficients[0]) && std::isnan(out.gap[0]) && out.sweeps[0] == 0,
                   "wrong lasso %d gives NaN", number);
    }
    const us_status checked =
        us_lasso_check_problems(&in.params, in.offsets.data(), in.member.data(), in.lambda.data());
    report.check(checked == US_BAD_INPUT, "wrong lasso %d is found", number++);
  }
}

void test_refusals(Report& report) {
  using Spoil = void (*)(us_lasso_params&);
  const Spoil spoils[] = {
      [](us_lasso_params& p) { p.rows = -1; },
      [](us_lasso_params& p) { p.features = -1; },
      [](us_lasso_params& p) { p.problems = -1; },
      [](us_lasso_params& p) { p.members = -1; },
      [](us_lasso_params& p) { p.rows = std::int64_t{1} << 31; },
      [](us_lasso_params& p) { p.problems = std::numeric_limits<std::int64_t>::max(); },
      [](us_lasso_params& p) { p.rows = p.features = std::int64_t{1} << 30; },
      [](us_lasso_params& p) { p.tolerance = -1e-9; },
      [](us_lasso_params& p) { p.tolerance = kNan; },
      [](us_lasso_params& p) { p.tolerance = std::numeric_limits<double>::infinity(); },
      [](us_lasso_params& p) { p.max_sweeps = 0; },
  };
  int number = 0;
  for (const Spoil spoil : spoils) {
    Lassos in = good_lassos();
    const us_execution execution{US_BACKEND_CPU, 1, nullptr};
    double intercept[2], gap[2];
    std::int32_t sweeps[2];
    const auto call = [&](const us_lasso_params* params, double* coefficients) {
      return us_lasso(&execution, params, in.x.data(), in.y.data(), in.scale.data(), in.offsets.data(), in.member.data(),
                      in.lambda.data(), coefficients, intercept, sweeps, gap);
    };
    if (number == 0) {
      report.check(call(&in.params, in.start.data()) == US_OK, "a good lasso is taken");
      report.check(call(nullptr, in.start.data()) == US_INVALID_ARGUMENT, "a lasso without params");
      report.check(call(&in.params, nullptr) == US_INVALID_ARGUMENT, "a lasso without coefficients");
      report.check(call(&in.params, in.lambda.data()) == US_INVALID_ARGUMENT, "coefficients that are lambda");
    }
    us_lasso_params params = in.params;
    spoil(params);
    report.check(call(&params, in.start.data()) == US_INVALID_ARGUMENT, "wrong lasso params %d are refused", number++);
  }
}

}  // namespace

void test_lasso(Report& report, us_backend backend) {
  test_problems(report, backend);
  test_closed_form(report, backend);
  test_wrong_problems(report, backend);
  if (backend != US_BACKEND_CPU) return;
  test_threads(report);
  test_refusals(report);
}
