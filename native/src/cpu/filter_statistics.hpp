#pragma once

#include "cpu/cone_correlation.hpp"

namespace us::cpu::US_ISA {
namespace {

/// What is given of a filter loss, whatever is then made of it.
struct FilterBatch {
  Cone cone;
  std::int64_t batch;
  std::int64_t channels;
  double tau;
  double positive_prior;  // p(T) of each of the n^2 positive templates
  double negative_prior;
  const float* x;
  const float* log_z;

  std::int64_t cells() const { return cone.size * cone.size; }
  std::int64_t templates() const { return cells() + 1; }
  std::int64_t groups() const { return (channels + kDoubleLanes - 1) / kDoubleLanes; }
  double prior(std::int64_t t) const { return t < cells() ? positive_prior : negative_prior; }
  const float* map(std::int64_t image, std::int64_t channel) const { return x + (image * channels + channel) * cells(); }

  /// How many filters a group has, its first being `channel`.
  std::int64_t lanes_from(std::int64_t channel) const {
    return channels - channel < kDoubleLanes ? channels - channel : kDoubleLanes;
  }
};

inline FilterBatch filter_batch(const us_mi_params& params, const float* x, const float* log_z) {
  const auto cells = static_cast<double>(template_count(params) - 1);
  return {cone_of(params), params.batch, params.channels, params.tau, params.alpha / cells, 1 - params.alpha, x, log_z};
}

/// Scores, p(x|T), log Z_T and log p(x) of a group of filters, one filter per lane. Scores and p are [templates, batch].
class FilterStatistics {
 public:
  explicit FilterStatistics(const FilterBatch& from) : from_(from), correlation_(from.cone) {}

  void layout(Arena& arena) {
    correlation_.layout(arena);
    map_ = arena.take<Doubles>(from_.cells());
    image_ = arena.take<Doubles>(from_.cells());
    scores_ = arena.take<Doubles>(from_.templates() * from_.batch);
    likelihood_ = arena.take<Doubles>(from_.templates() * from_.batch);
    log_z_ = arena.take<Doubles>(from_.templates());
    log_evidence_ = arena.take<Doubles>(from_.batch);
  }

  void prepare() { correlation_.prepare(); }

  void find(std::int64_t channel) {
    find_scores(channel);
    for (std::int64_t image = 0; image < from_.batch; ++image) log_evidence_[image] = Doubles{};
    for (std::int64_t t = 0; t < from_.templates(); ++t) {
      if (from_.log_z != nullptr) {
        take_constant_z(channel, t);
      } else {
        find_z(t);
      }
      const Doubles* const p = likelihood(t);
      for (std::int64_t image = 0; image < from_.batch; ++image) log_evidence_[image] += p[image] * from_.prior(t);
    }
    // Below this every p(x|T) of the map is 0 to any precision, and 0 times any number is what remains of it.
    const Doubles smallest = splat_double(0x1p-1022);
    for (std::int64_t image = 0; image < from_.batch; ++image) {
      const Doubles evidence = log_evidence_[image];
      log_evidence_[image] = logarithm(evidence < smallest ? smallest : evidence);
    }
  }

  /// p(x|T) of every image.
  Doubles* likelihood(std::int64_t t) const { return likelihood_ + t * from_.batch; }

  /// r_T(x) = log(p(x|T) / p(x)).
  Doubles ratio(std::int64_t t, std::int64_t image) const {
    return scores_[t * from_.batch + image] - log_z_[t] - log_evidence_[image];
  }

  /// sum over the images of p(x|T) r_T(x).
  Doubles divergence(std::int64_t t) const {
    const Doubles* const p = likelihood(t);
    Doubles sum{};
    for (std::int64_t image = 0; image < from_.batch; ++image) sum += p[image] * ratio(t, image);
    return sum;
  }

  /// sum_T weight[T] T_ij for every cell of the map.
  void combine(const Doubles* weights, Doubles* to) {
    Doubles total{};
    for (std::int64_t t = 0; t < from_.templates(); ++t) total += weights[t];
    correlation_.run(weights, to);
    for (std::int64_t cell = 0; cell < from_.cells(); ++cell) to[cell] = (to[cell] - total) * from_.tau + spoil(total);
  }

 private:
  void find_scores(std::int64_t channel) {
    const std::int64_t cells = from_.cells();
    for (std::int64_t image = 0; image < from_.batch; ++image) {
      gather_maps(from_.map(image, channel), cells, from_.lanes_from(channel), cells, map_);
      correlation_.run(map_, image_);
      Doubles total{};
      for (std::int64_t cell = 0; cell < cells; ++cell) total += map_[cell];
      for (std::int64_t cell = 0; cell < cells; ++cell) {
        scores_[cell * from_.batch + image] = (image_[cell] - total) * from_.tau + spoil(total);
      }
      scores_[cells * from_.batch + image] = total * -from_.tau + spoil(total);
    }
  }

  void find_z(std::int64_t t) {
    const Doubles* const scores = scores_ + t * from_.batch;
    Doubles* const p = likelihood(t);
    Doubles largest = scores[0];
    for (std::int64_t image = 1; image < from_.batch; ++image) largest = larger(largest, scores[image]);
    Doubles sum{};
    for (std::int64_t image = 0; image < from_.batch; ++image) {
      p[image] = exponential(scores[image] - largest);
      sum += p[image];
    }
    const Doubles scale = 1.0 / sum;
    for (std::int64_t image = 0; image < from_.batch; ++image) p[image] *= scale;
    log_z_[t] = largest + logarithm(sum);
  }

  void take_constant_z(std::int64_t channel, std::int64_t t) {
    const std::int64_t lanes = from_.lanes_from(channel);
    Doubles log_z{};
    for (std::int64_t lane = 0; lane < lanes; ++lane) log_z[lane] = from_.log_z[(channel + lane) * from_.templates() + t];
    log_z_[t] = log_z;
    Doubles* const scores = scores_ + t * from_.batch;
    Doubles* const p = likelihood(t);
    for (std::int64_t image = 0; image < from_.batch; ++image) {
      // Taken as 600 where it is above, in r_T(x) too.
      const Doubles most = log_z + 600.0;
      scores[image] = scores[image] > most ? most : scores[image];
      p[image] = exponential(scores[image] - log_z);
    }
  }

  const FilterBatch& from_;
  ConeCorrelation correlation_;
  Doubles* map_ = nullptr;
  Doubles* image_ = nullptr;
  Doubles* scores_ = nullptr;
  Doubles* likelihood_ = nullptr;
  Doubles* log_z_ = nullptr;
  Doubles* log_evidence_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
