#pragma once

#include "cpu/cone_correlation.hpp"
#include "cpu/map_lanes.hpp"

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
  /// Where a map begins, in x as in a gradient.
  std::int64_t offset(std::int64_t image, std::int64_t channel) const { return (image * channels + channel) * cells(); }
  const float* map(std::int64_t image, std::int64_t channel) const { return x + offset(image, channel); }

  /// How many filters a group has, its first being `channel`.
  std::int64_t lanes_from(std::int64_t channel) const {
    return channels - channel < kDoubleLanes ? channels - channel : kDoubleLanes;
  }
};

inline FilterBatch filter_batch(const us_mi_params& params, const float* x, const float* log_z) {
  const auto cells = static_cast<double>(template_count(params) - 1);
  return {cone_of(params), params.batch, params.channels, params.tau, params.alpha / cells, 1 - params.alpha, x, log_z};
}

/// p(x|T), Z_T and p(x) of a group of filters, one filter per lane, all in double: the terms of a gradient nearly
/// cancel, and the difference is to be right to float32.
///
/// Scores and p(x|T) are [batch, templates]. What is summed over the images is found for one template after the other,
/// so that it stays in registers; what is summed over the templates, for one image after the other.
class FilterStatistics {
 public:
  explicit FilterStatistics(const FilterBatch& from) : from_(from), correlation_(from.cone, from.tau) {}

  void layout(Arena& arena) {
    correlation_.layout(arena);
    map_ = arena.take<Doubles>(from_.cells());
    scores_ = arena.take<Doubles>(from_.templates() * from_.batch);
    powers_ = arena.take<Doubles>(from_.templates() * from_.batch);
    scale_ = arena.take<Doubles>(from_.templates());
    log_z_ = arena.take<Doubles>(from_.templates());
    log_evidence_ = arena.take<Doubles>(from_.batch);
  }

  void find(std::int64_t channel) {
    find_scores(channel);
    if (from_.log_z != nullptr) {
      take_constant_z(channel);
    } else {
      std::int64_t t = 0;
      for (; t + 2 <= from_.templates(); t += 2) find_z<2>(t);
      for (; t < from_.templates(); ++t) find_z<1>(t);
    }
    std::int64_t image = 0;
    for (; image + 4 <= from_.batch; image += 4) find_evidence<4>(image);
    for (; image < from_.batch; ++image) find_evidence<1>(image);
  }

  /// sum_T p(T) sum over the images of p(x|T) r_T(x), with r_T(x) = log(p(x|T) / p(x)).
  Doubles mutual_information() const {
    Doubles sum{};
    const auto add = [&](std::int64_t t, Doubles divergence) { sum += divergence * from_.prior(t); };
    Doubles divergences[2];
    std::int64_t t = 0;
    for (; t + 2 <= from_.templates(); t += 2) {
      find_divergences<2>(t, divergences);
      add(t, divergences[0]);
      add(t + 1, divergences[1]);
    }
    for (; t < from_.templates(); ++t) {
      find_divergences<1>(t, divergences);
      add(t, divergences[0]);
    }
    return sum;
  }

  /// p(T) p(x|T) r_T(x) of one filter.
  double information(std::int64_t image, std::int64_t t, std::int64_t lane) const {
    const std::int64_t at = image * from_.templates() + t;
    const double ratio = (scores_[at][lane] - log_z_[t][lane]) - log_evidence_[image][lane];
    return from_.prior(t) * scale_[t][lane] * powers_[at][lane] * ratio;
  }

  /// Prepares `find_gradient`: the weights of the templates, -p(T) p(x|T) r_T(x), or with Z_T differentiated
  /// -p(T) p(x|T) (r_T(x) - sum_x' p(x'|T) r_T(x')). They take the place of p(x|T).
  void weigh_templates(bool differentiate_z) {
    std::int64_t t = 0;
    for (; t + 2 <= from_.templates(); t += 2) weigh<2>(t, differentiate_z);
    for (; t < from_.templates(); ++t) weigh<1>(t, differentiate_z);
  }

  /// The sum of the templates with their weights: the gradient with respect to the maps of an image.
  void find_gradient(std::int64_t image, Doubles* to) {
    const Doubles* const weights = powers_ + image * from_.templates();
    correlation_.run(weights, weights[from_.cells()], to);
  }

 private:
  void find_scores(std::int64_t channel) {
    const std::int64_t cells = from_.cells();
    const std::int64_t lanes = from_.lanes_from(channel);
    for (std::int64_t image = 0; image < from_.batch; ++image) {
      // The maps of the next image are far from these: no processor fetches them by itself.
      if (image + 1 < from_.batch) prefetch(from_.map(image + 1, channel), lanes * cells);
      gather_maps(from_.map(image, channel), cells, lanes, cells, map_);
      Doubles* const scores = scores_ + image * from_.templates();
      scores[cells] = correlation_.run(map_, Doubles{}, scores) * -from_.tau;
    }
  }

  // Templates are taken two at a time: their sums do not wait for each other, and they may share a cache line.
  template <std::int64_t Count>
  void find_z(std::int64_t first) {
    const std::int64_t templates = from_.templates();
    const Doubles* scores = scores_ + first;
    Doubles largest[Count];
    for (std::int64_t k = 0; k < Count; ++k) largest[k] = scores[k];
    US_UNROLL
    for (std::int64_t image = 1; image < from_.batch; ++image) {
      scores += templates;
      for (std::int64_t k = 0; k < Count; ++k) largest[k] = larger(largest[k], scores[k]);
    }
    Doubles sums[Count] = {};
    scores = scores_ + first;
    Doubles* powers = powers_ + first;
    for (std::int64_t image = 0; image < from_.batch; ++image, scores += templates, powers += templates) {
      for (std::int64_t k = 0; k < Count; ++k) {
        const Doubles power = quick_exponential(scores[k] - largest[k]);
        powers[k] = power;
        sums[k] += power;
      }
    }
    for (std::int64_t k = 0; k < Count; ++k) {
      log_z_[first + k] = largest[k] + logarithm(sums[k]);
      scale_[first + k] = 1.0 / sums[k];
    }
  }

  template <std::int64_t Count>
  void find_divergences(std::int64_t first, Doubles* to) const {
    const std::int64_t templates = from_.templates();
    const Doubles* scores = scores_ + first;
    const Doubles* powers = powers_ + first;
    Doubles log_z[Count];
    for (std::int64_t k = 0; k < Count; ++k) log_z[k] = log_z_[first + k];
    Doubles sums[Count] = {};
    US_UNROLL
    for (std::int64_t image = 0; image < from_.batch; ++image, scores += templates, powers += templates) {
      const Doubles log_evidence = log_evidence_[image];
      for (std::int64_t k = 0; k < Count; ++k) sums[k] += powers[k] * ((scores[k] - log_z[k]) - log_evidence);
    }
    for (std::int64_t k = 0; k < Count; ++k) to[k] = sums[k] * scale_[first + k];
  }

  template <std::int64_t Count>
  void weigh(std::int64_t first, bool differentiate_z) {
    const std::int64_t templates = from_.templates();
    Doubles shift[Count] = {};
    if (differentiate_z) find_divergences<Count>(first, shift);
    Doubles scale[Count];
    for (std::int64_t k = 0; k < Count; ++k) {
      shift[k] += log_z_[first + k];
      scale[k] = scale_[first + k] * (0.0 - from_.prior(first + k));
    }
    const Doubles* scores = scores_ + first;
    Doubles* powers = powers_ + first;
    US_UNROLL
    for (std::int64_t image = 0; image < from_.batch; ++image, scores += templates, powers += templates) {
      const Doubles log_evidence = log_evidence_[image];
      for (std::int64_t k = 0; k < Count; ++k) powers[k] *= scale[k] * ((scores[k] - shift[k]) - log_evidence);
    }
  }

  void take_constant_z(std::int64_t channel) {
    const std::int64_t templates = from_.templates();
    gather_maps(from_.log_z + channel * templates, templates, from_.lanes_from(channel), templates, log_z_);
    for (std::int64_t t = 0; t < templates; ++t) {
      const Doubles log_z = log_z_[t];
      // Taken as 600 where it is above, in r_T(x) too.
      const Doubles most = log_z + 600.0;
      for (std::int64_t image = 0; image < from_.batch; ++image) {
        Doubles& score = scores_[image * templates + t];
        score = score > most ? most : score;
        powers_[image * templates + t] = quick_exponential(score - log_z);
      }
      scale_[t] = splat_double(1);
    }
  }

  /// log p(x) of several images side by side, so that the additions of one do not wait for each other.
  template <std::int64_t Images>
  void find_evidence(std::int64_t first) {
    const std::int64_t templates = from_.templates();
    const Doubles* const powers = powers_ + first * templates;
    const Doubles* const scale = scale_;
    Doubles sums[Images] = {};
    for (std::int64_t t = 0; t < templates; ++t) {
      const Doubles weight = scale[t] * from_.prior(t);
      for (std::int64_t image = 0; image < Images; ++image) sums[image] += powers[image * templates + t] * weight;
    }
    // Below this every p(x|T) of the map is 0 to any precision, and 0 times any number is what remains of it.
    const Doubles smallest = splat_double(0x1p-1022);
    for (std::int64_t image = 0; image < Images; ++image) {
      log_evidence_[first + image] = logarithm(sums[image] < smallest ? smallest : sums[image]);
    }
  }

  const FilterBatch& from_;
  ConeCorrelation correlation_;
  Doubles* map_ = nullptr;
  Doubles* scores_ = nullptr;
  Doubles* powers_ = nullptr;  // e^(score - the largest of the template's), or e^(score - log Z_T) where Z_T is given
  Doubles* scale_ = nullptr;   // what turns powers into p(x|T)
  Doubles* log_z_ = nullptr;
  Doubles* log_evidence_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
