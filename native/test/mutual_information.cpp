#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "harness.hpp"
#include "mutual_information_reference.hpp"

namespace {

enum class Maps { kRelu, kLarge, kNegative, kTies, kZeros, kNan };

struct Problem {
  us_mi_params params;
  Maps maps;
  std::size_t shift;
  int threads;
};

std::string describe(const Problem& problem) {
  const us_mi_params& p = problem.params;
  char text[192];
  std::snprintf(text, sizeof text, "%lldx%lld maps of %d tau %g beta %g alpha %g values %d shift %zu threads %d",
                static_cast<long long>(p.batch), static_cast<long long>(p.channels), p.size, p.tau, p.beta, p.alpha,
                static_cast<int>(problem.maps), problem.shift, problem.threads);
  return text;
}

std::vector<float> make_maps(Maps kind, std::size_t size, std::size_t cells) {
  Generator generator(11);
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) {
    const float value = generator.real();
    const float positive = std::max(value, 0.0F);
    values[i] = positive;
    if (kind == Maps::kLarge) values[i] = positive * 50;
    if (kind == Maps::kNegative) values[i] = -std::fabs(value);
    if (kind == Maps::kTies) values[i] = static_cast<float>(generator.integer(0, 2));
    if (kind == Maps::kZeros && i / cells % 3 == 0) values[i] = 0;
    if (kind == Maps::kNan && i == cells / 2) values[i] = std::numeric_limits<float>::quiet_NaN();
    if (kind == Maps::kNan && i == 2 * cells) values[i] = std::numeric_limits<float>::infinity();
  }
  return values;
}

/// 2^-24 of the value for the rounding to float, 2^-36 of what was summed for everything before it.
void compare(Report& report, const std::string& what, const GuardedArray<float>& actual, const Bounded& expected) {
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double value = expected.values[i];
    const double bound = std::ldexp(std::fabs(value), -24) + std::ldexp(expected.magnitudes[i], -36) + std::ldexp(1.0, -150);
    const bool passed = std::isnan(value) ? std::isnan(actual[i]) : std::fabs(static_cast<double>(actual[i]) - value) <= bound;
    if (!report.check(passed, "%s: [%zu] is %.9g, not %.9g", what.c_str(), i, static_cast<double>(actual[i]), value)) return;
  }
  report.check(actual.is_intact(), "%s: wrote outside its output", what.c_str());
}

void run_problem(Report& report, us_backend backend, const Problem& problem) {
  const us_execution execution{backend, problem.threads, nullptr};
  const us_mi_params& params = problem.params;
  const std::string name = describe(problem);
  const auto cells = static_cast<std::size_t>(params.size) * static_cast<std::size_t>(params.size);
  const auto channels = static_cast<std::size_t>(params.channels);
  const std::size_t maps = static_cast<std::size_t>(params.batch) * channels;
  const std::vector<float> x = make_maps(problem.maps, maps * cells, cells);
  std::vector<std::uint8_t> targets(maps);
  for (std::size_t i = 0; i < maps; ++i) targets[i] = static_cast<std::uint8_t>((i / channels + i) % 2);
  std::vector<float> slopes(channels);
  for (std::size_t i = 0; i < channels; ++i) slopes[i] = 2 + static_cast<float>(i) / 8;
  std::vector<float> log_z(channels * (cells + 1));
  for (std::size_t i = 0; i < log_z.size(); ++i) log_z[i] = static_cast<float>(i % 7) / 4;

  GuardedArray<float> guarded_x(x.size(), problem.shift, x);
  GuardedArray<float> scores(maps * (cells + 1), problem.shift);
  GuardedArray<float> loss(channels, problem.shift);
  GuardedArray<std::uint8_t> guarded_targets(maps, problem.shift, targets);
  GuardedArray<float> guarded_slopes(channels, problem.shift, slopes);
  GuardedArray<float> guarded_log_z(log_z.size(), problem.shift, log_z);
  us_status status = US_OK;
  {
    const OnBackend<float> from(execution, guarded_x);
    const OnBackend<float> to(execution, scores);
    status = us_template_scores(&execution, &params, from.get(), to.get());
  }
  if (!report.check(status == US_OK, "template_scores %s: %s", name.c_str(), us_last_error_message())) return;
  compare(report, "template_scores " + name, scores, reference_scores(params, x));

  for (const bool constant_z : {false, true}) {
    {
      const OnBackend<float> from(execution, guarded_x);
      const OnBackend<float> z(execution, guarded_log_z);
      const OnBackend<float> to(execution, loss);
      status = us_mi_loss(&execution, &params, from.get(), constant_z ? z.get() : nullptr, to.get());
    }
    const std::string what = (constant_z ? "mi_loss of a given Z " : "mi_loss ") + name;
    if (!report.check(status == US_OK, "%s: %s", what.c_str(), us_last_error_message())) return;
    compare(report, what, loss, reference_mi_loss(params, x, constant_z ? log_z : std::vector<float>()));
  }

  const us_mi_released released{0.25, 0.5, 2};
  for (const us_mi_mode mode : {US_MI_EXACT, US_MI_FROZEN, US_MI_ONE_TEMPLATE, US_MI_RELEASED}) {
    for (const bool constant_z : {false, true}) {
      if (constant_z && (mode == US_MI_EXACT || mode == US_MI_RELEASED)) continue;
      GuardedArray<float> dx(x.size(), problem.shift);
      {
        const OnBackend<float> from(execution, guarded_x);
        const OnBackend<std::uint8_t> by(execution, guarded_targets);
        const OnBackend<float> slope(execution, guarded_slopes);
        const OnBackend<float> z(execution, guarded_log_z);
        const OnBackend<float> to(execution, dx);
        status = us_mi_gradient(&execution, &params, mode, &released, from.get(), by.get(), slope.get(),
                                constant_z ? z.get() : nullptr, to.get());
      }
      const std::string what = "mi_gradient " + std::to_string(mode) + (constant_z ? " of a given Z " : " ") + name;
      if (!report.check(status == US_OK, "%s: %s", what.c_str(), us_last_error_message())) return;
      const Bounded expected = mode == US_MI_RELEASED
                                   ? reference_released_gradient(params, released, x, targets, slopes)
                                   : reference_mi_gradient(params, mode, x, targets, constant_z ? log_z : std::vector<float>());
      compare(report, what, dx, expected);
    }
  }
}

us_mi_params make_params(std::int64_t batch, std::int64_t channels, int size) {
  const double cells = static_cast<double>(size) * size;
  return {batch, channels, size, 0.5 / cells, 4, cells / (cells + 1)};
}

void test_random(Report& report, us_backend backend) {
  Generator generator(17);
  for (int i = 0; i < 120; ++i) {
    us_mi_params params = make_params(generator.integer(1, 5), generator.integer(1, 19), generator.integer(1, 9));
    if (i % 3 == 1) params.beta = 0.3 + generator.integer(0, 60) * 0.25;
    if (i % 5 == 1) params.tau = 0.1;
    if (i % 7 == 1) params.alpha = 0.5;
    run_problem(report, backend, {params, static_cast<Maps>(i % 6), static_cast<std::size_t>(i % 4), generator.integer(0, 3)});
  }
}

void test_wrong_arguments(Report& report) {
  const us_execution execution{US_BACKEND_CPU, 1, nullptr};
  std::vector<float> x(64);
  std::vector<float> dx(64);
  const std::vector<std::uint8_t> targets(4);
  const auto gradient = [&](const us_mi_params& params, us_mi_mode mode, const std::uint8_t* by, const float* log_z, float* to) {
    return us_mi_gradient(&execution, &params, mode, nullptr, x.data(), by, nullptr, log_z, to);
  };
  const us_mi_params good = make_params(2, 2, 4);
  report.check(gradient(good, US_MI_EXACT, nullptr, nullptr, dx.data()) == US_OK, "good params are taken");
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  using Spoil = void (*)(us_mi_params&);
  const Spoil spoils[] = {
      [](us_mi_params& p) { p.batch = -1; },
      [](us_mi_params& p) { p.channels = -1; },
      [](us_mi_params& p) { p.batch = std::numeric_limits<std::int64_t>::max(); },
      [](us_mi_params& p) { p.channels = std::numeric_limits<std::int64_t>::max(); },
      [](us_mi_params& p) { p.size = 0; },
      [](us_mi_params& p) { p.tau = 0; },
      [](us_mi_params& p) { p.tau = kNan; },
      [](us_mi_params& p) { p.beta = -4; },
      [](us_mi_params& p) { p.beta = std::numeric_limits<double>::infinity(); },
      [](us_mi_params& p) { p.alpha = 1.5; },
      [](us_mi_params& p) { p.alpha = kNan; },
  };
  int number = 0;
  for (const Spoil spoil : spoils) {
    us_mi_params params = good;
    spoil(params);
    const us_status status = gradient(params, US_MI_EXACT, nullptr, nullptr, dx.data());
    report.check(status == US_INVALID_ARGUMENT, "wrong templates %d are refused", number++);
  }
  us_mi_params large = good;
  large.size = US_MI_MAX_SIZE + 1;
  report.check(gradient(large, US_MI_EXACT, nullptr, nullptr, dx.data()) == US_UNSUPPORTED, "maps that are too large");
  report.check(gradient(good, static_cast<us_mi_mode>(4), nullptr, nullptr, dx.data()) == US_INVALID_ARGUMENT, "no such mode");
  report.check(gradient(good, US_MI_ONE_TEMPLATE, nullptr, nullptr, dx.data()) == US_INVALID_ARGUMENT, "no targets");
  report.check(gradient(good, US_MI_RELEASED, targets.data(), nullptr, dx.data()) == US_INVALID_ARGUMENT, "no constants");
  report.check(gradient(good, US_MI_EXACT, nullptr, x.data(), dx.data()) == US_INVALID_ARGUMENT, "exact with a given Z");
  report.check(gradient(good, US_MI_EXACT, nullptr, nullptr, nullptr) == US_INVALID_ARGUMENT, "no dx");
  report.check(gradient(good, US_MI_EXACT, nullptr, nullptr, x.data() + 1) == US_INVALID_ARGUMENT, "dx inside x");
}

}  // namespace

void test_mutual_information(Report& report, us_backend backend) {
  test_random(report, backend);
  run_problem(report, backend, {make_params(0, 3, 4), Maps::kRelu, 0, 0});
  run_problem(report, backend, {make_params(3, 0, 4), Maps::kRelu, 0, 0});
  run_problem(report, backend, {make_params(4, 33, 14), Maps::kRelu, 1, 4});
  // Larger than what a device keeps in shared memory.
  run_problem(report, backend, {make_params(1, 1, 65), Maps::kRelu, 0, 1});
  if (backend == US_BACKEND_CPU) test_wrong_arguments(report);
}
