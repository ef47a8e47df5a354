#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "harness.hpp"

// The reference shares nothing with the library but the params struct: one look at every cell in the order of the ties, and
// sums of the definition in long double, with the exact mean where the library uses the one it found.

namespace {

enum class Values { kNormal, kTies, kZeros, kConstant, kNegative, kNan, kOneCell, kInfinite };
constexpr int kValueKinds = 8;

struct Problem {
  us_maps_params params;
  Values values;
  std::size_t shift;
  int threads;
};

std::string describe(const Problem& problem) {
  char text[160];
  std::snprintf(text, sizeof text, "%lld maps of %d x %d values %d shift %zu threads %d",
                static_cast<long long>(problem.params.maps), problem.params.height, problem.params.width,
                static_cast<int>(problem.values), problem.shift, problem.threads);
  return text;
}

float value_of(Values kind, Generator& generator, int cells) {
  const float real = generator.real();
  const int chance = generator.integer(0, 99);
  switch (kind) {
    case Values::kNormal:
      return real;
    case Values::kTies:
      return static_cast<float>(generator.integer(-1, 2));
    case Values::kZeros:
      return real > 0 ? 0.0F : -0.0F;
    case Values::kConstant:
      return 0.3F;
    case Values::kNegative:
      return -std::fabs(real) - 0.25F;
    case Values::kNan:
      return chance < 4 ? std::numeric_limits<float>::quiet_NaN() : real;
    case Values::kOneCell:
      return generator.integer(0, cells - 1) == 0 ? 0.3F : 0.0F;
    case Values::kInfinite:
      if (chance < 2) return std::numeric_limits<float>::infinity();
      return chance < 90 ? -std::numeric_limits<float>::infinity() : real;
  }
  return 0;
}

int reference_argmax(const float* map, const us_maps_params& params, us_argmax_ties ties) {
  const bool by_rows = ties == US_ARGMAX_ROW_MAJOR;
  const int outer = by_rows ? params.height : params.width;
  const int inner = by_rows ? params.width : params.height;
  int best = -1;
  for (int i = 0; i < outer; ++i) {
    for (int j = 0; j < inner; ++j) {
      const int cell = by_rows ? i * params.width + j : j * params.width + i;
      if (std::isnan(map[cell])) return cell;
      if (best < 0 || map[cell] > map[best]) best = cell;
    }
  }
  return best;
}

void run_argmax(Report& report, const us_execution& execution, const Problem& problem, GuardedArray<float>& x) {
  const us_maps_params& params = problem.params;
  const auto maps = static_cast<std::size_t>(params.maps);
  const std::size_t cells = static_cast<std::size_t>(params.height) * static_cast<std::size_t>(params.width);
  const std::string name = describe(problem);
  for (const us_argmax_ties ties : {US_ARGMAX_ROW_MAJOR, US_ARGMAX_COLUMN_MAJOR}) {
    GuardedArray<std::int32_t> index(maps, problem.shift);
    GuardedArray<float> value(maps, problem.shift);
    us_status status = US_OK;
    {
      const OnBackend<float> from(execution, x);
      const OnBackend<std::int32_t> cell(execution, index);
      const OnBackend<float> largest(execution, value);
      status = us_argmax_maps(&execution, &params, ties, from.get(), cell.get(), largest.get());
    }
    if (!report.check(status == US_OK, "argmax_maps %s: %s", name.c_str(), us_last_error_message())) return;
    report.check(index.is_intact() && value.is_intact(), "argmax_maps %s: wrote outside", name.c_str());
    for (std::size_t map = 0; map < maps; ++map) {
      const float* const from = x.data() + map * cells;
      const int expected = reference_argmax(from, params, ties);
      const bool same = index[map] == expected && bits_of(value[map]) == bits_of(from[expected]);
      if (!report.check(same, "argmax_maps %s ties %d: map %zu has %g at %d, not %g at %d", name.c_str(),
                        static_cast<int>(ties), map, static_cast<double>(value[map]), index[map],
                        static_cast<double>(from[expected]), expected)) {
        return;
      }
    }
  }
}

struct Moments {
  long double values[US_MOMENT_COUNT];
  long double bounds[US_MOMENT_COUNT];
};

Moments reference_moments(const float* map, const us_maps_params& params, bool rectified) {
  struct Weight {
    long double weight, row, column;
  };
  std::vector<Weight> weights;
  long double mass = 0;
  long double absolute = 0;
  for (int cell = 0; cell < params.height * params.width; ++cell) {
    const auto value = static_cast<long double>(map[cell]);
    const long double weight = rectified && value <= 0 ? 0 : value;
    const int row_of_cell = cell / params.width;
    const int column_of_cell = cell % params.width;
    weights.push_back({weight, static_cast<long double>(row_of_cell), static_cast<long double>(column_of_cell)});
    mass += weight;
    absolute += std::fabs(weight);
  }
  Moments result{};
  result.values[US_MOMENT_MASS] = mass;
  const long double u = static_cast<long double>(params.height + params.width + 16) * 0x1p-53L;
  result.bounds[US_MOMENT_MASS] = u * absolute;
  if (mass == 0 || !std::isfinite(mass)) {
    for (int i = US_MOMENT_MEAN_ROW; i < US_MOMENT_COUNT; ++i) {
      result.values[i] = std::numeric_limits<long double>::quiet_NaN();
    }
    return result;
  }
  const auto mean_of = [&](auto term) {
    long double sum = 0;
    for (const Weight& each : weights) sum += term(each);
    return sum / mass;
  };
  const long double row = mean_of([](const Weight& w) { return w.weight * w.row; });
  const long double column = mean_of([](const Weight& w) { return w.weight * w.column; });
  const long double values[] = {
      mass,
      row,
      column,
      mean_of([&](const Weight& w) { return w.weight * (w.row - row) * (w.row - row); }),
      mean_of([&](const Weight& w) { return w.weight * (w.column - column) * (w.column - column); }),
      mean_of([&](const Weight& w) { return w.weight * (w.row - row) * (w.column - column); }),
  };
  const long double magnitude_row =
      mean_of([&](const Weight& w) { return std::fabs(w.weight) * (w.row - row) * (w.row - row); });
  const long double magnitude_column =
      mean_of([&](const Weight& w) { return std::fabs(w.weight) * (w.column - column) * (w.column - column); });
  // The bounds of the contract.
  const long double amplified = 2 * u * absolute / std::fabs(mass);
  const auto side = static_cast<long double>(params.height > params.width ? params.height : params.width);
  const long double reach = side + std::fabs(row) + std::fabs(column);
  const long double of_mean = amplified * reach;
  const long double bounds[] = {
      result.bounds[US_MOMENT_MASS],
      of_mean,
      of_mean,
      amplified * (std::fabs(magnitude_row) + std::fabs(values[US_MOMENT_VARIANCE_ROW])) + of_mean * of_mean,
      amplified * (std::fabs(magnitude_column) + std::fabs(values[US_MOMENT_VARIANCE_COLUMN])) + of_mean * of_mean,
      amplified * (reach * reach + std::fabs(values[US_MOMENT_COVARIANCE])) + of_mean * of_mean,
  };
  for (int i = 0; i < US_MOMENT_COUNT; ++i) {
    result.values[i] = values[i];
    result.bounds[i] = bounds[i];
  }
  return result;
}

void run_moments(Report& report, const us_execution& execution, const Problem& problem, GuardedArray<float>& x) {
  const us_maps_params& params = problem.params;
  const auto maps = static_cast<std::size_t>(params.maps);
  const std::size_t cells = static_cast<std::size_t>(params.height) * static_cast<std::size_t>(params.width);
  const std::string name = describe(problem);
  for (const bool rectified : {true, false}) {
    GuardedArray<double> moments(maps * US_MOMENT_COUNT, problem.shift);
    us_status status = US_OK;
    {
      const OnBackend<float> from(execution, x);
      const OnBackend<double> to(execution, moments);
      status = us_map_moments(&execution, &params, rectified ? 1 : 0, from.get(), to.get());
    }
    if (!report.check(status == US_OK, "map_moments %s: %s", name.c_str(), us_last_error_message())) return;
    report.check(moments.is_intact(), "map_moments %s: wrote outside", name.c_str());
    for (std::size_t map = 0; map < maps; ++map) {
      const Moments expected = reference_moments(x.data() + map * cells, params, rectified);
      for (std::size_t i = 0; i < US_MOMENT_COUNT; ++i) {
        const auto actual = static_cast<long double>(moments[map * US_MOMENT_COUNT + i]);
        const long double wanted = expected.values[i];
        const bool passed = std::isnan(wanted)
                                ? std::isnan(actual)
                                : actual == wanted || std::fabs(actual - wanted) <= expected.bounds[i];
        if (!report.check(passed, "map_moments %s rectified %d: moment %zu of map %zu is %.17Lg, not %.17Lg", name.c_str(),
                          rectified ? 1 : 0, i, map, actual, wanted)) {
          return;
        }
      }
    }
  }
}

void run_problem(Report& report, us_backend backend, const Problem& problem, std::uint32_t seed) {
  const us_execution execution{backend, problem.threads, nullptr};
  const int cells = problem.params.height * problem.params.width;
  Generator generator(seed);
  std::vector<float> content(static_cast<std::size_t>(problem.params.maps) * static_cast<std::size_t>(cells));
  for (float& value : content) value = value_of(problem.values, generator, cells);
  GuardedArray<float> x(content.size(), problem.shift, content);
  run_argmax(report, execution, problem, x);
  run_moments(report, execution, problem, x);
}

void test_refusals(Report& report) {
  const us_execution cpu{US_BACKEND_CPU, 1, nullptr};
  const float x[4] = {1, 3, 3, 2};
  std::int32_t index = -1;
  float value = 0;
  double moments[US_MOMENT_COUNT];
  const us_maps_params good{1, 2, 2};
  const auto argmax = [&](const us_maps_params& p) {
    return us_argmax_maps(&cpu, &p, US_ARGMAX_COLUMN_MAJOR, x, &index, &value);
  };
  report.check(argmax(good) == US_OK && index == 2, "the tie goes to the first column");
  constexpr std::int32_t kHuge = std::numeric_limits<std::int32_t>::max();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  for (const us_maps_params& p : {us_maps_params{-1, 2, 2}, us_maps_params{1, 0, 2}, us_maps_params{1, 2, -1},
                                  us_maps_params{0, 0, 0}, us_maps_params{1, kHuge, 2}, us_maps_params{1, 46341, 46341},
                                  us_maps_params{kMost, 1, 1}, us_maps_params{std::int64_t{1} << 40, kHuge, 1}}) {
    report.check(argmax(p) == US_INVALID_ARGUMENT, "%lld maps of %d x %d have no largest cell",
                 static_cast<long long>(p.maps), p.height, p.width);
    report.check(us_map_moments(&cpu, &p, 1, x, moments) == US_INVALID_ARGUMENT, "%lld maps of %d x %d have no moments",
                 static_cast<long long>(p.maps), p.height, p.width);
  }
  const auto ties = static_cast<us_argmax_ties>(2);
  report.check(us_argmax_maps(&cpu, &good, ties, x, &index, &value) == US_INVALID_ARGUMENT, "no such order of ties");
  report.check(us_argmax_maps(&cpu, nullptr, US_ARGMAX_ROW_MAJOR, x, &index, &value) == US_INVALID_ARGUMENT, "no params");
  report.check(us_argmax_maps(&cpu, &good, US_ARGMAX_ROW_MAJOR, nullptr, &index, &value) == US_INVALID_ARGUMENT, "no x");
  report.check(us_argmax_maps(&cpu, &good, US_ARGMAX_ROW_MAJOR, &value, &index, &value) == US_INVALID_ARGUMENT, "in place");
  report.check(us_map_moments(&cpu, &good, 2, x, moments) == US_INVALID_ARGUMENT, "rectified is a flag");
  report.check(us_map_moments(&cpu, &good, 1, x, nullptr) == US_INVALID_ARGUMENT, "no moments to write to");
  const us_maps_params none{0, 2, 2};
  report.check(us_argmax_maps(&cpu, &none, US_ARGMAX_ROW_MAJOR, nullptr, nullptr, nullptr) == US_OK, "no maps");
}

}  // namespace

void test_maps(Report& report, us_backend backend) {
  constexpr std::size_t kShifts[] = {0, 1, 3};
  Generator generator(9);
  std::uint32_t seed = 0;
  // Rows and maps around the widths of vectors.
  for (int width = 1; width <= 35; ++width) {
    for (int kind = 0; kind < kValueKinds; ++kind, ++seed) {
      const us_maps_params params{generator.integer(1, 6), generator.integer(1, 20), width};
      run_problem(report, backend, {params, static_cast<Values>(kind), kShifts[seed % 3], static_cast<int>(seed % 4)}, seed);
    }
  }
  for (int kind = 0; kind < kValueKinds; ++kind, ++seed) {
    run_problem(report, backend, {{3, 70, 61}, static_cast<Values>(kind), 1, 2}, seed);
  }
  run_problem(report, backend, {{0, 5, 5}, Values::kNormal, 0, 0}, 1);
  run_problem(report, backend, {{700, 14, 14}, Values::kTies, 5, 3}, 2);
  run_problem(report, backend, {{1, 1, 70000}, Values::kTies, 0, 1}, 3);
  run_problem(report, backend, {{1, 70000, 1}, Values::kTies, 0, 1}, 4);
  if (backend == US_BACKEND_CPU) test_refusals(report);
}
