#include <algorithm>
#include <functional>
#include <limits>
#include <vector>

#include "harness.hpp"

namespace {

enum class Stream { kNormal, kTies, kRising, kFalling, kInfinite };

float value_of(Stream stream, Generator& generator, int index) {
  if (stream == Stream::kTies) return static_cast<float>(generator.integer(-2, 2));
  if (stream == Stream::kRising) return static_cast<float>(index);
  if (stream == Stream::kFalling) return static_cast<float>(-index);
  if (stream == Stream::kInfinite && generator.integer(0, 2) > 0) return -std::numeric_limits<float>::infinity();
  return generator.real();
}

/// Takes several batches and compares the largest `keep` of every unit with a full sort.
void run_problem(Report& report, us_backend backend, const us_top_quantile_params& p, Stream stream, std::uint32_t seed, std::size_t shift,
                 int threads) {
  const us_execution execution{backend, threads, nullptr};
  const auto units = static_cast<std::size_t>(p.units);
  const auto capacity = static_cast<std::size_t>(p.capacity);
  const auto keep = static_cast<std::size_t>(p.keep);
  const auto size = static_cast<std::size_t>(p.images) * units * static_cast<std::size_t>(p.cells);
  const float lowest = -std::numeric_limits<float>::infinity();
  Generator generator(seed);
  std::vector<std::vector<float>> seen(units);
  GuardedArray<float> kept(units * capacity, shift, std::vector<float>(units * capacity));
  GuardedArray<std::int32_t> filled(units, shift, std::vector<std::int32_t>(units));
  GuardedArray<float> cutoff(units, shift, std::vector<float>(units, lowest));
  int index = 0;
  for (int batch = 0; batch < 3; ++batch) {
    std::vector<float> content(size);
    for (float& value : content) value = value_of(stream, generator, index++);
    for (std::size_t i = 0; i < size; ++i) seen[i / static_cast<std::size_t>(p.cells) % units].push_back(content[i]);
    GuardedArray<float> values(size, shift, content);
    us_status status = US_OK;
    {
      const OnBackend<float> on_values(execution, values);
      const OnBackend<float> on_kept(execution, kept);
      const OnBackend<std::int32_t> on_filled(execution, filled);
      const OnBackend<float> on_cutoff(execution, cutoff);
      status = us_top_quantile(&execution, &p, on_values.get(), on_kept.get(), on_filled.get(), on_cutoff.get());
    }
    if (!report.check(status == US_OK, "top_quantile %u: %s", seed, us_last_error_message())) return;
  }
  report.check(kept.is_intact() && filled.is_intact() && cutoff.is_intact(), "top_quantile %u: wrote outside", seed);
  for (std::size_t unit = 0; unit < units; ++unit) {
    const float* const from = kept.data() + unit * capacity;
    std::vector<float> actual(from, from + filled[unit]);
    for (std::vector<float>* each : {&actual, &seen[unit]}) {
      std::sort(each->begin(), each->end(), std::greater<>());
      each->resize(keep, lowest);
    }
    if (!report.check(actual == seen[unit], "top_quantile %u: unit %zu does not hold its largest", seed, unit)) return;
  }
}

void test_refusals(Report& report) {
  const us_execution execution{US_BACKEND_CPU, 1, nullptr};
  us_top_quantile_params p{1, 40, 1, 2, 4};
  std::vector<float> values(40, 1.0F);
  float kept[4] = {};
  std::int32_t filled = 0;
  float cutoff = -std::numeric_limits<float>::infinity();
  const auto call = [&] { return us_top_quantile(&execution, &p, values.data(), kept, &filled, &cutoff); };
  report.check(call() == US_OK && cutoff == 1.0F, "ties fill the buffer");
  for (const std::size_t at : {std::size_t{0}, std::size_t{17}, std::size_t{39}}) {
    values[at] = std::numeric_limits<float>::quiet_NaN();
    report.check(call() == US_BAD_INPUT, "a NaN at %zu", at);
    values[at] = 1;
  }
  for (const std::int32_t bad : {-1, 5}) {
    filled = bad;
    report.check(call() == US_BAD_INPUT, "a buffer with %d of 4 values", bad);
  }
  filled = 0;
  p.capacity = 2;
  report.check(call() == US_INVALID_ARGUMENT, "no room beside what is kept");
  p = {1, 40, 1, 0, 4};
  report.check(call() == US_INVALID_ARGUMENT, "nothing to keep");
  p = {-1, 40, 1, 2, 4};
  report.check(call() == US_INVALID_ARGUMENT, "negative images");
  p = {std::int64_t{1} << 40, std::int64_t{1} << 40, 1, 2, 4};
  report.check(call() == US_INVALID_ARGUMENT, "more than can be counted");
}

}  // namespace

void test_top_quantile(Report& report, us_backend backend) {
  Generator generator(5);
  for (std::uint32_t i = 0; i < 300; ++i) {
    us_top_quantile_params p{};
    p.images = generator.integer(0, 4);
    p.cells = generator.integer(1, 300);
    p.units = generator.integer(1, 4);
    p.keep = generator.integer(1, generator.integer(1, 200));
    p.capacity = p.keep + generator.integer(1, 200);
    run_problem(report, backend, p, static_cast<Stream>(i % 5), i, i % 4, generator.integer(0, 5));
  }
  for (const Stream stream : {Stream::kNormal, Stream::kRising}) run_problem(report, backend, {4, 20000, 3, 400, 800}, stream, 1000, 1, 3);
  if (backend == US_BACKEND_CPU) test_refusals(report);
}
