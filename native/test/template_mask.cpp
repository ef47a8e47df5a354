#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "harness.hpp"
#include "template_mask_reference.hpp"

namespace {

enum class Values { kRectified, kTies, kNormal, kNegative, kZeros, kNan, kNegativeInfinity };
constexpr int kValueKinds = 7;

struct Problem {
  us_mask_params params;
  Values values;
  bool one_beta;
  std::size_t shift;
  int threads;
};

std::string describe(const Problem& problem) {
  char text[192];
  std::snprintf(text, sizeof text, "%lld x %lld maps of side %d height %g values %d one beta %d shift %zu threads %d",
                static_cast<long long>(problem.params.batch), static_cast<long long>(problem.params.channels),
                problem.params.size, static_cast<double>(problem.params.height), static_cast<int>(problem.values),
                problem.one_beta ? 1 : 0, problem.shift, problem.threads);
  return text;
}

std::vector<float> make_values(Values kind, std::size_t size, std::uint32_t seed) {
  Generator generator(seed);
  std::vector<float> values(size);
  for (float& value : values) {
    const float real = generator.real();
    const int chance = generator.integer(0, 199);
    switch (kind) {
      case Values::kRectified:
        value = real > 0 ? real : 0.0F;
        break;
      case Values::kTies:
        value = static_cast<float>(generator.integer(0, 3));
        break;
      case Values::kNormal:
        value = real;
        break;
      case Values::kNegative:
        value = -std::fabs(real) - 0.25F;
        break;
      case Values::kZeros:
        value = real > 0 ? 0.0F : -0.0F;
        break;
      case Values::kNan:
        value = chance == 0 ? std::numeric_limits<float>::quiet_NaN() : real;
        break;
      case Values::kNegativeInfinity:
        value = chance < 190 ? -std::numeric_limits<float>::infinity() : -real;
        break;
    }
  }
  return values;
}

void compare(Report& report, const std::string& what, const GuardedArray<float>& actual, const MaskReference& expected) {
  // Multiplication, subtraction, division and two more multiplications round once each, on terms no larger than the
  // magnitude.
  const double epsilon = 5 * std::ldexp(1.0, -24);
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    const auto value = static_cast<double>(actual[i]);
    const double wanted = expected.values[i];
    const bool passed = std::isnan(wanted) ? std::isnan(value)
                                           : value == wanted || std::fabs(value - wanted) <= epsilon * expected.magnitudes[i];
    if (!report.check(passed, "%s: [%zu] is %g, not %g", what.c_str(), i, value, wanted)) return;
  }
  report.check(actual.is_intact(), "%s: wrote outside its output", what.c_str());
}

void run_backward(Report& report, const us_execution& execution, const Problem& problem, const std::vector<float>& x,
                  const std::vector<float>& beta, const std::vector<std::int32_t>& mu) {
  const std::string name = describe(problem);
  const std::vector<float> dy = make_values(Values::kNormal, x.size(), 2);
  GuardedArray<float> guarded_dy(dy.size(), problem.shift, dy);
  GuardedArray<float> guarded_x(x.size(), problem.shift, x);
  GuardedArray<float> guarded_beta(beta.size(), problem.shift, beta);
  GuardedArray<std::int32_t> guarded_mu(mu.size(), problem.shift, mu);
  for (const bool with_x : {true, false}) {
    GuardedArray<float> dx(x.size(), problem.shift);
    us_status status = US_OK;
    {
      const OnBackend<float> signal(execution, guarded_dy);
      const OnBackend<float> from(execution, guarded_x);
      const OnBackend<float> slopes(execution, guarded_beta);
      const OnBackend<std::int32_t> places(execution, guarded_mu);
      const OnBackend<float> to(execution, dx);
      status = us_mask_backward(&execution, &problem.params, signal.get(), with_x ? from.get() : nullptr, slopes.get(),
                                places.get(), to.get());
    }
    if (!report.check(status == US_OK, "mask_backward %s: %s", name.c_str(), us_last_error_message())) return;
    compare(report, std::string(with_x ? "mask_backward " : "mask_backward without x ") + name, dx,
            reference_mask_backward(problem.params, dy, with_x ? x : std::vector<float>{}, beta, mu));
  }
}

void run_problem(Report& report, us_backend backend, const Problem& problem) {
  const us_execution execution{backend, problem.threads, nullptr};
  const us_mask_params& params = problem.params;
  const auto maps = static_cast<std::size_t>(params.batch * params.channels);
  const std::size_t cells = maps * static_cast<std::size_t>(params.size) * static_cast<std::size_t>(params.size);
  const std::string name = describe(problem);
  const std::vector<float> x = make_values(problem.values, cells, 1);
  std::vector<float> beta(static_cast<std::size_t>(params.channels), 4.0F);
  Generator generator(5);
  if (!problem.one_beta) {
    for (float& slope : beta) slope = 4.0F * (generator.real() + 1.0F);
  }
  GuardedArray<float> guarded_x(cells, problem.shift, x);
  GuardedArray<float> guarded_beta(beta.size(), problem.shift, beta);
  for (const us_mask_location location : {US_MASK_ARGMAX, US_MASK_CENTROID}) {
    // Infinite sums have no centroid that rounding could not move.
    if (location == US_MASK_CENTROID && problem.values == Values::kNegativeInfinity) continue;
    GuardedArray<float> y(cells, problem.shift);
    GuardedArray<std::int32_t> mu(maps, problem.shift);
    us_status status = US_OK;
    {
      const OnBackend<float> from(execution, guarded_x);
      const OnBackend<float> slopes(execution, guarded_beta);
      const OnBackend<float> to(execution, y);
      const OnBackend<std::int32_t> places(execution, mu);
      status = us_mask_forward(&execution, &params, location, from.get(), slopes.get(), to.get(), places.get());
    }
    if (!report.check(status == US_OK, "mask_forward %s: %s", name.c_str(), us_last_error_message())) return;
    const std::vector<std::int32_t> expected = reference_locations(params, location, x);
    for (std::size_t map = 0; map < maps; ++map) {
      if (!report.check(mu[map] == expected[map], "mask_forward %s: location %d of map %zu is %d, not %d", name.c_str(),
                        static_cast<int>(location), map, mu[map], expected[map])) {
        return;
      }
    }
    report.check(mu.is_intact(), "mask_forward %s: wrote outside its locations", name.c_str());
    compare(report, "mask_forward " + name, y, reference_mask(params, x, beta, expected));
    if (location == US_MASK_ARGMAX) run_backward(report, execution, problem, x, beta, expected);
  }
}

void test_sizes(Report& report, us_backend backend) {
  constexpr std::size_t kShifts[] = {0, 1, 3};
  int turn = 0;
  for (int size = 1; size <= 40; ++size) {
    for (int values = 0; values < kValueKinds; ++values, ++turn) {
      const us_mask_params params{2, 3, size, turn % 2 == 0 ? 1.0F : 0.5F / static_cast<float>(size * size)};
      run_problem(report, backend, {params, static_cast<Values>(values), turn % 3 != 0, kShifts[turn % 3], turn % 4});
    }
  }
}

void test_extremes(Report& report, us_backend backend) {
  run_problem(report, backend, {{0, 3, 5, 1.0F}, Values::kNormal, true, 0, 0});
  run_problem(report, backend, {{3, 0, 5, 1.0F}, Values::kNormal, true, 0, 0});
  run_problem(report, backend, {{1, 1, 225, 1.0F}, Values::kTies, true, 1, 2});
  // Large enough to be written past the caches, in whole maps and in rows, by threads that start between images.
  run_problem(report, backend, {{7, 1571, 14, 1.0F}, Values::kRectified, false, 5, 3});
  run_problem(report, backend, {{3, 13, 233, 1.0F}, Values::kRectified, true, 7, 4});
}

void test_bank(Report& report) {
  for (const int size : {1, 2, 4, 7, 12}) {
    const auto side = static_cast<std::size_t>(size);
    const float tau = 0.5F / static_cast<float>(size * size);
    GuardedArray<float> bank(side * side * side * side, 0);
    report.check(us_template_bank(size, tau, 4.0F, bank.data()) == US_OK, "bank %d: %s", size, us_last_error_message());
    MaskReference expected;
    for (int mu = 0; mu < size * size; ++mu) {
      for (int cell = 0; cell < size * size; ++cell) {
        expected.values.push_back(reference_template(size, static_cast<double>(tau), 4.0, mu, cell));
        expected.magnitudes.push_back(static_cast<double>(tau) * 9);
      }
    }
    compare(report, "bank " + std::to_string(size), bank, expected);
    // The cone ends at a distance of a quarter of the side: the distance 3 of side 12 is 0 and not nearly so.
    if (size == 12) report.check(bank[3] == 0.0F, "bank 12 is %g where it crosses 0", static_cast<double>(bank[3]));
  }
}

void test_wrong_arguments(Report& report) {
  const us_execution cpu{US_BACKEND_CPU, 1, nullptr};
  const us_mask_params good{1, 1, 2, 1.0F};
  float x[4] = {1, 2, 3, 4};
  float y[4];
  float beta[1] = {4};
  std::int32_t mu[1] = {3};
  const auto forward = [&](const us_mask_params& params) {
    return us_mask_forward(&cpu, &params, US_MASK_ARGMAX, x, beta, y, mu);
  };
  report.check(forward(good) == US_OK && mu[0] == 3, "a good mask is taken");
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  for (const us_mask_params& params :
       {us_mask_params{-1, 1, 2, 1}, us_mask_params{1, -1, 2, 1}, us_mask_params{1, 1, 0, 1}, us_mask_params{1, 1, 46341, 1},
        us_mask_params{1, 1, 2, 0}, us_mask_params{1, 1, 2, kInfinity}, us_mask_params{1, 1, 2, std::nanf("")},
        us_mask_params{kHuge, kHuge, 2, 1}, us_mask_params{kHuge, 1, 2, 1}, us_mask_params{1, kHuge, 1, 1}}) {
    report.check(forward(params) == US_INVALID_ARGUMENT, "%lld x %lld maps of side %d height %g are refused",
                 static_cast<long long>(params.batch), static_cast<long long>(params.channels), params.size,
                 static_cast<double>(params.height));
  }
  const auto location = static_cast<us_mask_location>(2);
  report.check(us_mask_forward(&cpu, &good, location, x, beta, y, mu) == US_INVALID_ARGUMENT, "no such location");
  report.check(us_mask_forward(&cpu, nullptr, US_MASK_ARGMAX, x, beta, y, mu) == US_INVALID_ARGUMENT, "no params");
  report.check(us_mask_forward(&cpu, &good, US_MASK_ARGMAX, nullptr, beta, y, mu) == US_INVALID_ARGUMENT, "no x");
  report.check(us_mask_forward(&cpu, &good, US_MASK_ARGMAX, x, nullptr, y, mu) == US_INVALID_ARGUMENT, "no beta");
  report.check(us_mask_forward(&cpu, &good, US_MASK_ARGMAX, x, beta, x, mu) == US_INVALID_ARGUMENT, "y is x");
  report.check(us_mask_backward(&cpu, &good, y, x, beta, mu, y + 3) == US_INVALID_ARGUMENT, "dx inside dy");
  for (const std::int32_t wrong : {-1, 4}) {
    mu[0] = wrong;
    report.check(us_mask_backward(&cpu, &good, x, nullptr, beta, mu, y) == US_BAD_INPUT, "mu %d is refused", wrong);
  }
  for (const float wrong : {-1.0F, kInfinity, std::nanf("")}) {
    beta[0] = wrong;
    report.check(forward(good) == US_BAD_INPUT, "beta %g is refused", static_cast<double>(wrong));
    report.check(us_template_bank(2, 1, wrong, y) == US_INVALID_ARGUMENT, "bank of beta %g", static_cast<double>(wrong));
  }
  report.check(us_template_bank(0, 1, 4, y) == US_INVALID_ARGUMENT, "bank of side 0");
  report.check(us_template_bank(40000, 1, 4, y) == US_INVALID_ARGUMENT, "bank of too many elements");
  report.check(us_template_bank(2, 1, 4, nullptr) == US_INVALID_ARGUMENT, "bank without memory");
  const us_mask_params empty{0, 1, 2, 1.0F};
  report.check(us_mask_forward(&cpu, &empty, US_MASK_ARGMAX, nullptr, nullptr, nullptr, nullptr) == US_OK,
               "an empty batch needs no memory");
}

}  // namespace

void test_template_mask(Report& report, us_backend backend) {
  test_sizes(report, backend);
  test_extremes(report, backend);
  if (backend != US_BACKEND_CPU) return;
  test_bank(report);
  test_wrong_arguments(report);
}
