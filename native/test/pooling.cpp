#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "harness.hpp"
#include "pooling_reference.hpp"

namespace {

enum class Values { kNormal, kTies, kNan, kNegativeInfinity };

struct Problem {
  us_pool2d_params params;
  Values values;
  std::size_t shift;
  int threads;
};

std::string describe(const Problem& problem) {
  const us_pool2d_params& p = problem.params;
  char text[256];
  std::snprintf(text, sizeof text, "planes %lld of %dx%d kernel %dx%d stride %dx%d pads %d,%d,%d,%d dilation %dx%d values %d shift %zu threads %d",
                static_cast<long long>(p.planes), p.height, p.width, p.kernel[0], p.kernel[1], p.stride[0], p.stride[1],
                p.pad_begin[0], p.pad_begin[1], p.pad_end[0], p.pad_end[1], p.dilation[0], p.dilation[1],
                static_cast<int>(problem.values), problem.shift, problem.threads);
  return text;
}

std::vector<float> make_values(Values kind, std::size_t size, std::uint32_t seed) {
  Generator generator(seed);
  std::vector<float> values(size);
  for (float& value : values) {
    value = generator.real();
    const int chance = generator.integer(0, 9);
    if (kind == Values::kTies) value = static_cast<float>(generator.integer(-1, 1));
    if (kind == Values::kNan && chance == 0) value = std::numeric_limits<float>::quiet_NaN();
    if (kind == Values::kNegativeInfinity && chance < 7) value = -std::numeric_limits<float>::infinity();
  }
  return values;
}

bool same(float actual, double expected) {
  return std::isnan(expected) ? std::isnan(actual) : static_cast<double>(actual) == expected;
}

void compare_sums(Report& report, const std::string& what, const GuardedArray<float>& actual, const SumReference& expected) {
  for (std::size_t i = 0; i < expected.sums.size(); ++i) {
    // Adding n float32 terms rounds n - 1 times; a single term is exact.
    const double epsilon = std::ldexp(1.0, -24);
    const double bound = (expected.terms[i] - 1) * epsilon * expected.magnitudes[i];
    const double distance = std::fabs(static_cast<double>(actual[i]) - expected.sums[i]);
    const bool passed = expected.terms[i] == 0 ? actual[i] == 0.0F : distance <= bound;
    if (!report.check(passed, "%s: [%zu] is %g, not %g", what.c_str(), i, static_cast<double>(actual[i]), expected.sums[i])) return;
  }
  report.check(actual.is_intact(), "%s: wrote outside its output", what.c_str());
}

/// Whether `actual` is the rule applied to the finished sums, bit for bit.
void check_ruled(Report& report, const std::string& what, us_signal_rule rule, const std::vector<float>& x,
                 const GuardedArray<float>& sums, const GuardedArray<float>& actual) {
  report.check(actual.is_intact(), "%s: wrote outside its output", what.c_str());
  std::vector<float> expected(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) expected[i] = reference_signal(rule, sums[i], x[i]);
  report.check(x.empty() || std::memcmp(actual.data(), expected.data(), actual.bytes()) == 0, "%s: is not the rule of the sums",
               what.c_str());
}

void run_problem(Report& report, us_backend backend, const Problem& problem) {
  const us_execution execution{backend, problem.threads, nullptr};
  const us_pool2d_params& params = problem.params;
  const auto cells = static_cast<std::size_t>(params.planes) * static_cast<std::size_t>(params.height) * static_cast<std::size_t>(params.width);
  const auto windows =
      static_cast<std::size_t>(params.planes) * static_cast<std::size_t>(params.out_height) * static_cast<std::size_t>(params.out_width);
  const std::string name = describe(problem);
  const std::vector<float> x = make_values(problem.values, cells, 1);
  const std::vector<float> dy = make_values(Values::kNormal, windows, 2);
  const PooledReference pooled = reference_max_pool(params, x);

  GuardedArray<float> guarded_x(cells, problem.shift, x);
  GuardedArray<float> guarded_dy(windows, problem.shift, dy);
  GuardedArray<float> maxima(windows, problem.shift);
  GuardedArray<std::uint8_t> switches(windows, problem.shift);
  us_status status = US_OK;
  {
    const OnBackend<float> from(execution, guarded_x);
    const OnBackend<float> to(execution, maxima);
    const OnBackend<std::uint8_t> to_switches(execution, switches);
    status = us_max_pool(&execution, &params, from.get(), to.get(), to_switches.get());
  }
  if (!report.check(status == US_OK, "max_pool %s: %s", name.c_str(), us_last_error_message())) return;
  for (std::size_t i = 0; i < windows; ++i) {
    const bool passed = same(maxima[i], pooled.maxima[i]) && switches[i] == pooled.switches[i];
    if (!report.check(passed, "max_pool %s: window %zu is %g at %d, not %g at %d", name.c_str(), i, static_cast<double>(maxima[i]),
                      switches[i], pooled.maxima[i], pooled.switches[i])) {
      return;
    }
  }
  report.check(maxima.is_intact() && switches.is_intact(), "max_pool %s: wrote outside its outputs", name.c_str());

  GuardedArray<float> unpooled[2] = {GuardedArray<float>(cells, problem.shift), GuardedArray<float>(cells, problem.shift)};
  for (const us_unpool_mode mode : {US_UNPOOL_ACCUMULATE, US_UNPOOL_OVERWRITE}) {
    {
      const OnBackend<float> from(execution, guarded_dy);
      const OnBackend<std::uint8_t> by(execution, switches);
      const OnBackend<float> to(execution, unpooled[mode]);
      status = us_unpool(&execution, &params, mode, US_SIGNAL_RULE_NONE, from.get(), by.get(), to.get());
    }
    if (!report.check(status == US_OK, "unpool %s: %s", name.c_str(), us_last_error_message())) return;
    compare_sums(report, (mode == US_UNPOOL_ACCUMULATE ? "unpool " : "unpool overwriting ") + name, unpooled[mode],
                 reference_unpool(params, mode == US_UNPOOL_OVERWRITE, dy, pooled.switches));
  }

  GuardedArray<float>& sums = unpooled[US_UNPOOL_ACCUMULATE];
  for (const us_signal_rule rule : {US_SIGNAL_RULE_NONE, US_SIGNAL_RULE_GRADIENT, US_SIGNAL_RULE_GUIDED, US_SIGNAL_RULE_DECONVNET}) {
    GuardedArray<float> gradient(cells, problem.shift);
    {
      const OnBackend<float> from(execution, guarded_x);
      const OnBackend<float> signal(execution, guarded_dy);
      const OnBackend<float> to(execution, gradient);
      status = us_max_pool_backward(&execution, &params, rule, from.get(), signal.get(), to.get());
    }
    if (!report.check(status == US_OK, "max_pool_backward %s: %s", name.c_str(), us_last_error_message())) return;
    check_ruled(report, "max_pool_backward rule " + std::to_string(rule) + " " + name, rule, x, sums, gradient);
  }
  GuardedArray<float> reconstruction(cells, problem.shift);
  {
    const OnBackend<float> from(execution, guarded_dy);
    const OnBackend<std::uint8_t> by(execution, switches);
    const OnBackend<float> to(execution, reconstruction);
    status = us_unpool(&execution, &params, US_UNPOOL_ACCUMULATE, US_SIGNAL_RULE_DECONVNET, from.get(), by.get(), to.get());
  }
  if (!report.check(status == US_OK, "unpool rectified %s: %s", name.c_str(), us_last_error_message())) return;
  check_ruled(report, "unpool rectified " + name, US_SIGNAL_RULE_DECONVNET, x, sums, reconstruction);
}

us_pool2d_params make_params(std::int64_t planes, int height, int width) {
  return {planes, height, width, 0, 0, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 1}};
}

/// A random legal pooling: pads smaller than the kernel, and a plane that holds the kernel.
us_pool2d_params random_params(Generator& generator) {
  us_pool2d_params params = make_params(generator.integer(1, 3), 0, 0);
  int sizes[2];
  for (int axis = 0; axis < 2; ++axis) {
    params.kernel[axis] = generator.integer(1, generator.integer(1, 9));
    params.stride[axis] = generator.integer(1, 5);
    params.dilation[axis] = generator.integer(1, 3);
    params.pad_begin[axis] = generator.integer(0, params.kernel[axis] - 1);
    params.pad_end[axis] = generator.integer(0, params.kernel[axis] - 1);
    sizes[axis] = (params.kernel[axis] - 1) * params.dilation[axis] + generator.integer(1, axis == 0 ? 12 : 70);
  }
  params.height = sizes[0];
  params.width = sizes[1];
  return params;
}

void test_usual_windows(Report& report, us_backend backend) {
  constexpr struct {
    int kernel, stride, pad, ceil_mode;
  } kWindows[] = {{2, 2, 0, 0}, {3, 2, 0, 0}, {3, 2, 1, 0}, {3, 2, 0, 1}, {3, 1, 1, 0}, {2, 1, 0, 0}, {3, 3, 0, 1}};
  // Planes narrower than the stride; around one and two vectors of 4, 8 and 16 lanes, before and after striding.
  constexpr int kWidths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 34, 35, 63, 64, 65, 67};
  for (const auto& window : kWindows) {
    for (const int width : kWidths) {
      for (const std::size_t shift : {0, 1, 3}) {
        us_pool2d_params params = make_params(2, 7, width);
        for (int axis = 0; axis < 2; ++axis) {
          params.kernel[axis] = window.kernel;
          params.stride[axis] = window.stride;
          params.pad_begin[axis] = params.pad_end[axis] = window.pad;
        }
        if (us_pool2d_output_size(&params, window.ceil_mode) != US_OK) continue;
        const auto values = static_cast<Values>(static_cast<std::size_t>(width) % 4);
        run_problem(report, backend, {params, values, shift, 1});
      }
    }
  }
}

void test_random_windows(Report& report, us_backend backend) {
  constexpr std::size_t kShifts[] = {0, 1, 2, 3, 4};
  Generator generator(3);
  for (int i = 0; i < 400; ++i) {
    us_pool2d_params params = random_params(generator);
    const us_status status = us_pool2d_output_size(&params, generator.integer(0, 1));
    // With dilation a window can miss a small plane altogether, which is refused.
    if (status != US_OK) continue;
    run_problem(report, backend, {params, static_cast<Values>(i % 4), kShifts[i % 5], generator.integer(0, 5)});
  }
}

void test_extremes(Report& report, us_backend backend) {
  us_pool2d_params empty = make_params(0, 4, 4);
  us_pool2d_output_size(&empty, 0);
  run_problem(report, backend, {empty, Values::kNormal, 0, 0});

  us_pool2d_params single = make_params(1, 1, 1);
  us_pool2d_output_size(&single, 0);
  run_problem(report, backend, {single, Values::kNormal, 1, 0});

  us_pool2d_params largest_window = make_params(2, 15, 17);
  largest_window.kernel[0] = 15;
  largest_window.kernel[1] = 17;
  us_pool2d_output_size(&largest_window, 0);
  run_problem(report, backend, {largest_window, Values::kTies, 0, 0});

  us_pool2d_params long_stride = make_params(2, 9, 2);
  long_stride.stride[0] = long_stride.stride[1] = 1 << 30;
  us_pool2d_output_size(&long_stride, 0);
  run_problem(report, backend, {long_stride, Values::kNormal, 0, 0});

  us_pool2d_params wide_dilation = make_params(2, 64, 64);
  wide_dilation.kernel[0] = wide_dilation.kernel[1] = 3;
  wide_dilation.dilation[0] = wide_dilation.dilation[1] = 31;
  us_pool2d_output_size(&wide_dilation, 0);
  run_problem(report, backend, {wide_dilation, Values::kTies, 0, 2});

  // Larger than the size from which outputs are written past the caches, at an address no line starts at, on threads
  // that start in the middle of a plane.
  us_pool2d_params large = make_params(3, 1023, 1025);
  for (int axis = 0; axis < 2; ++axis) {
    large.kernel[axis] = 3;
    large.pad_begin[axis] = large.pad_end[axis] = 1;
  }
  us_pool2d_output_size(&large, 0);
  run_problem(report, backend, {large, Values::kNan, 5, 4});
}

void test_bad_switches(Report& report) {
  us_pool2d_params params = make_params(2, 4, 4);
  params.kernel[0] = params.kernel[1] = 3;
  params.stride[0] = params.stride[1] = 2;
  params.pad_begin[0] = params.pad_begin[1] = 1;
  us_pool2d_output_size(&params, 0);
  const us_execution execution{US_BACKEND_CPU, 1, nullptr};
  const std::vector<float> y(8);
  std::vector<float> x(32);
  for (std::size_t window = 0; window < 4; ++window) {
    for (int value = 0; value < 256; ++value) {
      // The good switch of the window's middle everywhere else.
      std::vector<std::uint8_t> switches(8, 4);
      switches[4 + window] = static_cast<std::uint8_t>(value);
      const bool in_padding = (window < 2 && value < 3) || (window % 2 == 0 && value % 3 == 0);
      const us_status expected = value >= 9 || in_padding ? US_BAD_INPUT : US_OK;
      report.check(us_pool2d_check_switches(&params, switches.data()) == expected, "check of switch %d in window %zu", value, window);
      report.check(us_unpool(&execution, &params, US_UNPOOL_ACCUMULATE, US_SIGNAL_RULE_NONE, y.data(), switches.data(),
                             x.data()) == expected,
                   "unpool of switch %d in window %zu", value, window);
    }
  }
}

}  // namespace

void test_pooling(Report& report, us_backend backend) {
  test_usual_windows(report, backend);
  test_random_windows(report, backend);
  test_extremes(report, backend);
  if (backend == US_BACKEND_CPU) test_bad_switches(report);
}
