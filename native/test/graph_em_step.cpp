#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "graph_em_step_reference.hpp"
#include "harness.hpp"

namespace {

enum class Maps { kRelu, kNegative, kTies, kZeros, kNan };

struct Problem {
  us_graph_params params;
  Maps maps;
  bool parents;
  bool whole;  // coordinates that are integers, so that candidates fall on the edges of bins
  std::uint32_t seed;
  int threads;
};

GraphInputs make_inputs(const Problem& problem) {
  const us_graph_params& p = problem.params;
  Generator generator(problem.seed);
  GraphInputs in{p, {}, {}, {}, {}, {}, {}};
  const auto total = static_cast<std::size_t>(p.channels * p.nodes);
  const auto images = static_cast<std::size_t>(p.images);
  const std::size_t cells = static_cast<std::size_t>(p.height) * static_cast<std::size_t>(p.width);
  in.x.resize(images * static_cast<std::size_t>(p.channels) * cells);
  for (float& value : in.x) {
    value = generator.real();
    if (problem.maps == Maps::kNegative) value = -std::fabs(value);
    if (problem.maps == Maps::kTies) value = static_cast<float>(generator.integer(-1, 1));
    if (problem.maps == Maps::kZeros) value = 0;
  }
  if (problem.maps == Maps::kNan && !in.x.empty()) in.x[in.x.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  const auto real = [&](double low, double high) {
    return low + (high - low) * (static_cast<double>(generator.real()) + 1) / 2;
  };
  for (std::size_t n = 0; n < total; ++n) {
    for (const int size : {p.height, p.width}) {
      const double place = real(-2, size + 1);
      in.coord.push_back(problem.whole ? std::floor(place) : place);
    }
    in.sigma.push_back(real(0, 2));
    in.prior_sigma.push_back(real(0.5, 3));
  }
  for (std::size_t n = 0; problem.parents && n < images * total; ++n) {
    in.prior_offset.push_back(generator.real() * 2);
    in.prior_offset.push_back(generator.real() * 2);
    in.prior_weight.push_back(generator.real() + 1.01F);
  }
  return in;
}

bool is_near(double actual, double expected, double bound) {
  return std::isnan(expected) ? std::isnan(actual) : std::fabs(actual - expected) <= bound;
}

class Run {
 public:
  Run(Report& report, us_backend backend, const Problem& problem)
      : report_(report), problem_(problem), in_(make_inputs(problem)), execution_{backend, problem.threads, nullptr} {
    const us_graph_params& p = problem.params;
    total_ = static_cast<std::size_t>(p.channels * p.nodes);
    images_ = static_cast<std::size_t>(p.images);
    char text[160];
    std::snprintf(text, sizeof text, "graph_em_step %lldx%lldx%dx%d of %d nodes range %g maps %d seed %u",
                  static_cast<long long>(p.images), static_cast<long long>(p.channels), p.height, p.width, p.nodes,
                  p.range, static_cast<int>(problem.maps), problem.seed);
    name_ = text;
  }

  void check() {
    const std::size_t shift = problem_.seed % 3;
    GuardedArray<float> x(in_.x.size(), shift, in_.x);
    GuardedArray<double> coord(2 * total_, shift, in_.coord);
    GuardedArray<double> sigma(total_, shift, in_.sigma);
    GuardedArray<double> prior_sigma(total_, shift, in_.prior_sigma);
    GuardedArray<float> offset(in_.prior_offset.size(), shift, in_.prior_offset);
    GuardedArray<float> weight(in_.prior_weight.size(), shift, in_.prior_weight);
    // Added to: every sum starts at 1.
    GuardedArray<double> sums(total_ * US_GRAPH_SUMS, shift, std::vector<double>(total_ * US_GRAPH_SUMS, 1.0));
    GuardedArray<float> position(2 * images_ * total_, shift);
    GuardedArray<float> score(images_ * total_, shift);
    GuardedArray<double> tau(images_, shift);
    us_status status = US_OK;
    {
      const OnBackend<float> on_x(execution_, x);
      const OnBackend<double> on_coord(execution_, coord);
      const OnBackend<double> on_sigma(execution_, sigma);
      const OnBackend<double> on_prior_sigma(execution_, prior_sigma);
      const OnBackend<float> on_offset(execution_, offset);
      const OnBackend<float> on_weight(execution_, weight);
      const OnBackend<double> on_sums(execution_, sums);
      const OnBackend<float> on_position(execution_, position);
      const OnBackend<float> on_score(execution_, score);
      const OnBackend<double> on_tau(execution_, tau);
      status = us_graph_em_step(&execution_, &in_.params, on_x.get(), on_coord.get(), on_sigma.get(),
                                on_prior_sigma.get(), problem_.parents ? on_offset.get() : nullptr,
                                problem_.parents ? on_weight.get() : nullptr, on_sums.get(), on_position.get(),
                                on_score.get(), on_tau.get());
    }
    if (!report_.check(status == US_OK, "%s: %s", name_.c_str(), us_last_error_message())) return;
    const bool intact = sums.is_intact() && position.is_intact() && score.is_intact() && tau.is_intact();
    report_.check(intact, "%s: wrote outside its outputs", name_.c_str());
    const GraphResults expected = reference_graph_em_step(in_);
    check_sums(expected, sums, tau);
    check_places(expected, position, score);
  }

 private:
  double rounding() const {
    const us_graph_params& p = in_.params;
    const double window = std::pow(2 * std::floor(p.range + 0.5) + 1, 2);
    return std::ldexp(static_cast<double>(p.images) + p.nodes + window + 100, -52);
  }

  void check_sums(const GraphResults& expected, const GuardedArray<double>& sums, const GuardedArray<double>& tau) {
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const double bound = rounding() * (1 + expected.magnitudes[i]);
      if (!report_.check(is_near(sums[i], 1 + expected.sums[i], bound), "%s: sum [%zu] is %.17g, not %.17g",
                         name_.c_str(), i, sums[i], 1 + expected.sums[i])) {
        return;
      }
    }
    for (std::size_t i = 0; i < images_; ++i) {
      const double bound = std::ldexp(static_cast<double>(total_) + 100, -52) * expected.tau_of_image[i];
      report_.check(is_near(tau[i], expected.tau_of_image[i], bound), "%s: tau of image %zu is %.17g, not %.17g",
                    name_.c_str(), i, tau[i], expected.tau_of_image[i]);
    }
  }

  /// The score is the largest product. Where rounding decides between several, any of them may be the position.
  void check_places(const GraphResults& expected, const GuardedArray<float>& position,
                    const GuardedArray<float>& score) {
    for (std::size_t i = 0; i < score.size(); ++i) {
      const double* const products = expected.products.data() + 36 * i;
      const double best = *std::max_element(products, products + 36);
      const double bound = (std::ldexp(1.0, -24) + rounding()) * best + std::ldexp(1.0, -149);
      const bool scored = std::isnan(products[0]) ? std::isnan(score[i])
                                                  : is_near(static_cast<double>(score[i]), best, bound);
      if (!report_.check(scored, "%s: score [%zu] is %.9g, not %.9g", name_.c_str(), i, static_cast<double>(score[i]),
                         best)) {
        return;
      }
      const int radius = reference_radius(in_.params, in_.sigma[i % total_]);
      bool placed = false;
      for (int c = 0; c < 36; ++c) {
        if (products[c] < best * (1 - 2 * rounding())) continue;
        const int line = c / 6;
        const auto row = static_cast<float>(expected.centres[2 * i] + radius * (2 * line - 5) / 6.0);
        const auto column = static_cast<float>(expected.centres[2 * i + 1] + radius * (2 * (c % 6) - 5) / 6.0);
        placed = placed || (position[2 * i] == row && position[2 * i + 1] == column);
      }
      if (!report_.check(placed, "%s: node [%zu] is at none of its best candidates", name_.c_str(), i)) return;
    }
  }

  Report& report_;
  const Problem& problem_;
  GraphInputs in_;
  us_execution execution_;
  std::size_t total_ = 0;
  std::size_t images_ = 0;
  std::string name_;
};

void test_refusals(Report& report) {
  const us_execution execution{US_BACKEND_CPU, 1, nullptr};
  std::vector<float> x(16);
  std::vector<double> nodes(16, 1.0);
  std::vector<double> sums(16);
  std::vector<float> position(4);
  std::vector<float> score(2);
  double tau = 0;
  const auto call = [&](const us_graph_params* p, double* to) {
    return us_graph_em_step(&execution, p, x.data(), nodes.data(), nodes.data() + 4, nodes.data() + 8, nullptr, nullptr,
                            to, position.data(), score.data(), &tau);
  };
  const us_graph_params good{1, 1, 4, 4, 2, 1, 0.5, 0.1};
  report.check(call(&good, sums.data()) == US_OK, "good params are taken");
  report.check(call(nullptr, sums.data()) == US_INVALID_ARGUMENT, "no params");
  report.check(call(&good, nullptr) == US_INVALID_ARGUMENT, "no sums");
  report.check(call(&good, nodes.data() + 1) == US_INVALID_ARGUMENT, "sums inside coord");
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  using Spoil = void (*)(us_graph_params&);
  const Spoil spoils[] = {
      [](us_graph_params& p) { p.images = -1; },
      [](us_graph_params& p) { p.channels = -1; },
      [](us_graph_params& p) { p.nodes = -1; },
      [](us_graph_params& p) { p.images = std::numeric_limits<std::int64_t>::max(); },
      [](us_graph_params& p) { p.channels = std::int64_t{1} << 49; },
      [](us_graph_params& p) { p.height = 0; },
      [](us_graph_params& p) { p.width = -3; },
      [](us_graph_params& p) { p.smoothing = 0; },
      [](us_graph_params& p) { p.smoothing = kNan; },
      [](us_graph_params& p) { p.range = -1; },
      [](us_graph_params& p) { p.range = kNan; },
      [](us_graph_params& p) { p.tau = -0.1; },
  };
  int number = 0;
  for (const Spoil spoil : spoils) {
    us_graph_params params = good;
    spoil(params);
    report.check(call(&params, sums.data()) == US_INVALID_ARGUMENT, "wrong graph %d is refused", number++);
  }
  us_graph_params far = good;
  far.range = US_GRAPH_MAX_RADIUS + 0.5;
  report.check(call(&far, sums.data()) == US_UNSUPPORTED, "a search that is too wide");
}

}  // namespace

void test_graph_em_step(Report& report, us_backend backend) {
  Generator generator(21);
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    us_graph_params p{generator.integer(0, 3), generator.integer(0, 4), generator.integer(1, 17),
                      generator.integer(1, 17), generator.integer(0, 9), 0, 0, 0.1};
    p.range = generator.integer(0, 10) / 2.0;
    p.smoothing = 0.1 + generator.integer(0, 20) / 10.0;
    const Problem problem{p, static_cast<Maps>(seed % 5), seed % 2 == 0, seed % 3 == 0, seed, generator.integer(0, 4)};
    Run(report, backend, problem).check();
  }
  const Problem conv5{{2, 16, 14, 14, 20, 2.1, 0.35, 0.1}, Maps::kRelu, true, false, 1000, 3};
  Run(report, backend, conv5).check();
  if (backend == US_BACKEND_CPU) test_refusals(report);
}
