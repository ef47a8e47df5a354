#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "harness.hpp"

namespace {

enum class Values { kNormal, kHuge, kTiny, kNan };

std::vector<float> make_values(Values kind, std::size_t count, std::uint32_t seed, bool positive) {
  Generator generator(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = generator.real();
    if (positive) value *= value;
    if (kind == Values::kHuge) value *= 1e30F;
    if (kind == Values::kTiny) value *= 1e-38F;
    if (kind == Values::kNan && generator.integer(0, 5) == 0) value = std::numeric_limits<float>::quiet_NaN();
    if (kind == Values::kNan && generator.integer(0, 5) == 0) value = std::numeric_limits<float>::infinity();
  }
  return values;
}

/// The operations of the definition, one parameter at a time.
void reference_sgd(const us_sgd_params& p, const std::vector<float>& g, std::vector<float>& w, std::vector<float>& v) {
  const auto rate = static_cast<float>(p.learning_rate);
  const auto momentum = static_cast<float>(p.momentum);
  const auto decay = static_cast<float>(p.weight_decay);
  for (std::size_t i = 0; i < g.size(); ++i) {
    float d = g[i];
    if (p.weight_decay != 0) d = d + decay * w[i];
    float u = d;
    if (p.momentum != 0) {
      v[i] = momentum * v[i] + d;
      u = p.nesterov != 0 ? d + momentum * v[i] : v[i];
    }
    w[i] = w[i] - rate * u;
  }
}

void reference_adam(const us_adam_params& p, const std::vector<float>& g, std::vector<float>& w, std::vector<float>& m,
                    std::vector<float>& v) {
  const auto step = static_cast<double>(p.step);
  const auto a = static_cast<float>(p.learning_rate / (1 - std::pow(p.beta1, step)));
  const auto b = static_cast<float>(1 / std::sqrt(1 - std::pow(p.beta2, step)));
  for (std::size_t i = 0; i < g.size(); ++i) {
    float d = g[i];
    if (p.weight_decay != 0 && p.decoupled != 0) w[i] = static_cast<float>(1 - p.learning_rate * p.weight_decay) * w[i];
    if (p.weight_decay != 0 && p.decoupled == 0) d = d + static_cast<float>(p.weight_decay) * w[i];
    m[i] = static_cast<float>(p.beta1) * m[i] + static_cast<float>(1 - p.beta1) * d;
    v[i] = static_cast<float>(p.beta2) * v[i] + (static_cast<float>(1 - p.beta2) * d) * d;
    w[i] = w[i] - a * (m[i] / (std::sqrt(v[i]) * b + static_cast<float>(p.epsilon)));
  }
}

/// The same bits; any NaN is as good as another.
void compare(Report& report, const std::string& name, const char* array, const GuardedArray<float>& actual,
             const std::vector<float>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const float value = actual[i];
    const bool same = std::isnan(expected[i]) ? std::isnan(value) : bits_of(value) == bits_of(expected[i]);
    if (!report.check(same, "%s: %s[%zu] is %.9g, not %.9g", name.c_str(), array, i, static_cast<double>(value),
                      static_cast<double>(expected[i]))) {
      return;
    }
  }
  report.check(actual.is_intact(), "%s: wrote outside %s", name.c_str(), array);
}

void run_sgd(Report& report, us_backend backend, const us_sgd_params& p, Values kind, std::uint32_t seed) {
  const us_execution execution{backend, static_cast<int>(seed % 4), nullptr};
  const auto count = static_cast<std::size_t>(p.count);
  const std::vector<float> g = make_values(kind, count, seed, false);
  std::vector<float> w = make_values(kind, count, seed + 1, false);
  std::vector<float> v = make_values(kind, count, seed + 2, false);
  GuardedArray<float> gradient(count, seed % 5, g);
  GuardedArray<float> weights(count, seed % 3, w);
  GuardedArray<float> velocity(count, seed % 7, v);
  us_status status = US_OK;
  {
    const OnBackend<float> on_gradient(execution, gradient);
    const OnBackend<float> on_weights(execution, weights);
    const OnBackend<float> on_velocity(execution, velocity);
    status = us_sgd_step(&execution, &p, on_gradient.get(), on_weights.get(),
                         p.momentum == 0 ? nullptr : on_velocity.get());
  }
  const std::string name = "sgd_step " + std::to_string(seed);
  if (!report.check(status == US_OK, "%s: %s", name.c_str(), us_last_error_message())) return;
  reference_sgd(p, g, w, v);
  compare(report, name, "weights", weights, w);
  compare(report, name, "velocity", velocity, v);
}

void run_adam(Report& report, us_backend backend, const us_adam_params& p, Values kind, std::uint32_t seed) {
  const us_execution execution{backend, static_cast<int>(seed % 4), nullptr};
  const auto count = static_cast<std::size_t>(p.count);
  const std::vector<float> g = make_values(kind, count, seed, false);
  std::vector<float> w = make_values(kind, count, seed + 1, false);
  std::vector<float> m = make_values(kind, count, seed + 2, false);
  std::vector<float> v = make_values(kind, count, seed + 3, true);
  GuardedArray<float> gradient(count, seed % 5, g);
  GuardedArray<float> weights(count, seed % 3, w);
  GuardedArray<float> mean(count, seed % 7, m);
  GuardedArray<float> square(count, seed % 2, v);
  us_status status = US_OK;
  {
    const OnBackend<float> on_gradient(execution, gradient);
    const OnBackend<float> on_weights(execution, weights);
    const OnBackend<float> on_mean(execution, mean);
    const OnBackend<float> on_square(execution, square);
    status = us_adam_step(&execution, &p, on_gradient.get(), on_weights.get(), on_mean.get(), on_square.get());
  }
  const std::string name = "adam_step " + std::to_string(seed);
  if (!report.check(status == US_OK, "%s: %s", name.c_str(), us_last_error_message())) return;
  reference_adam(p, g, w, m, v);
  compare(report, name, "weights", weights, w);
  compare(report, name, "mean", mean, m);
  compare(report, name, "square", square, v);
}

void test_refusals(Report& report) {
  const us_execution execution{US_BACKEND_CPU, 1, nullptr};
  std::vector<float> g(4);
  std::vector<float> w(4);
  std::vector<float> v(4);
  std::vector<float> s(4);
  const auto sgd = [&](const us_sgd_params& p, float* velocity) {
    return us_sgd_step(&execution, &p, g.data(), w.data(), velocity);
  };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  report.check(sgd({4, 0.1, 0.9, 0, 0}, v.data()) == US_OK, "good sgd");
  report.check(sgd({4, 0.1, 0, 0, 0}, nullptr) == US_OK, "no momentum needs no velocity");
  report.check(sgd({4, 0.1, 0.9, 0, 0}, nullptr) == US_INVALID_ARGUMENT, "momentum without velocity");
  report.check(sgd({4, 0.1, 0.9, 0, 0}, w.data() + 3) == US_INVALID_ARGUMENT, "velocity inside the weights");
  for (const us_sgd_params& p : {us_sgd_params{-1, 0.1, 0.9, 0, 0}, us_sgd_params{4, kNan, 0.9, 0, 0},
                                 us_sgd_params{4, 0.1, -0.9, 0, 0}, us_sgd_params{4, 0.1, 0.9, -1, 0},
                                 us_sgd_params{4, 0.1, 0.9, kNan, 0}, us_sgd_params{4, 0.1, 0, 0, 1},
                                 us_sgd_params{4, 0.1, 0.9, 0, 2}}) {
    report.check(sgd(p, v.data()) == US_INVALID_ARGUMENT, "wrong sgd params");
  }
  const auto adam = [&](const us_adam_params& p, float* square) {
    return us_adam_step(&execution, &p, g.data(), w.data(), v.data(), square);
  };
  report.check(adam({4, 1, 0.1, 0.9, 0.999, 1e-8, 0, 0}, s.data()) == US_OK, "good adam");
  report.check(adam({4, 1, 0.1, 0.9, 0.999, 1e-8, 0, 0}, nullptr) == US_INVALID_ARGUMENT, "adam without square");
  report.check(adam({4, 1, 0.1, 0.9, 0.999, 1e-8, 0, 0}, v.data()) == US_INVALID_ARGUMENT, "square is the mean");
  for (const us_adam_params& p :
       {us_adam_params{-1, 1, 0.1, 0.9, 0.999, 1e-8, 0, 0}, us_adam_params{4, 0, 0.1, 0.9, 0.999, 1e-8, 0, 0},
        us_adam_params{4, 1, kNan, 0.9, 0.999, 1e-8, 0, 0}, us_adam_params{4, 1, 0.1, 1, 0.999, 1e-8, 0, 0},
        us_adam_params{4, 1, 0.1, 0.9, -0.1, 1e-8, 0, 0}, us_adam_params{4, 1, 0.1, 0.9, 0.999, -1, 0, 0},
        us_adam_params{4, 1, 0.1, 0.9, 0.999, 1e-8, kNan, 0}, us_adam_params{4, 1, 0.1, 0.9, 0.999, 1e-8, 0, 3}}) {
    report.check(adam(p, s.data()) == US_INVALID_ARGUMENT, "wrong adam params");
  }
}

}  // namespace

void test_optimizers(Report& report, us_backend backend) {
  std::uint32_t seed = 0;
  for (const int count : {0, 1, 3, 4, 7, 15, 16, 17, 33, 100, 200000}) {
    for (const Values kind : {Values::kNormal, Values::kHuge, Values::kTiny, Values::kNan}) {
      for (const double decay : {0.0, 0.01}) {
        ++seed;
        run_sgd(report, backend, {count, 0.1, 0, decay, 0}, kind, seed);
        run_sgd(report, backend, {count, 0.1, 0.9, decay, 0}, kind, seed);
        run_sgd(report, backend, {count, 0.1, 0.9, decay, 1}, kind, seed);
        run_adam(report, backend, {count, 1 + seed * 7, 0.003, 0.9, 0.999, 1e-8, decay, 0}, kind, seed);
        run_adam(report, backend, {count, seed, 0.003, 0, 0.5, 0, decay, 1}, kind, seed);
      }
    }
  }
  if (backend == US_BACKEND_CPU) test_refusals(report);
}
