#include "core/optimizers.hpp"

#include <cmath>

#include "core/checks.hpp"
#include "core/error.hpp"
#include "core/spans.hpp"

namespace us {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 53;
constexpr std::int64_t kFloat = sizeof(float);

us_status check_common(std::int64_t count, double learning_rate, double weight_decay) {
  if (count < 0 || count > kMaxElements) {
    return fail(US_INVALID_ARGUMENT, "count must not be negative nor more than can be counted, it is %lld",
                (long long)count);
  }
  if (!std::isfinite(learning_rate)) {
    return fail(US_INVALID_ARGUMENT, "learning_rate must be finite, it is %g", learning_rate);
  }
  if (!(weight_decay >= 0 && std::isfinite(weight_decay))) {
    return fail(US_INVALID_ARGUMENT, "weight_decay must be at least 0 and finite, it is %g", weight_decay);
  }
  return US_OK;
}

}  // namespace

SgdConstants sgd_constants(const us_sgd_params& params) {
  return {static_cast<float>(params.learning_rate), static_cast<float>(params.momentum),
          static_cast<float>(params.weight_decay)};
}

AdamConstants adam_constants(const us_adam_params& params) {
  const auto step = static_cast<double>(params.step);
  return {static_cast<float>(params.learning_rate / (1 - std::pow(params.beta1, step))),
          static_cast<float>(params.beta1),
          static_cast<float>(1 - params.beta1),
          static_cast<float>(params.beta2),
          static_cast<float>(1 - params.beta2),
          static_cast<float>(1 / std::sqrt(1 - std::pow(params.beta2, step))),
          static_cast<float>(params.epsilon),
          static_cast<float>(params.weight_decay),
          static_cast<float>(1 - params.learning_rate * params.weight_decay)};
}

us_status check_sgd_step(const us_sgd_params* params, const float* gradient, float* weights, float* velocity) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const us_status status = check_common(params->count, params->learning_rate, params->weight_decay);
  if (status != US_OK) return status;
  if (!(params->momentum >= 0 && std::isfinite(params->momentum))) {
    return fail(US_INVALID_ARGUMENT, "momentum must be at least 0 and finite, it is %g", params->momentum);
  }
  if (params->nesterov != 0 && params->nesterov != 1) {
    return fail(US_INVALID_ARGUMENT, "nesterov must be 0 or 1, it is %d", (int)params->nesterov);
  }
  if (params->nesterov == 1 && params->momentum == 0) {
    return fail(US_INVALID_ARGUMENT, "nesterov needs a momentum above 0");
  }
  const std::int64_t bytes = params->count * kFloat;
  return check_array_spans<3>({{"gradient", gradient, bytes, false},
                               {"weights", weights, bytes, true},
                               {"velocity", velocity, params->momentum == 0 ? 0 : bytes, true}});
}

us_status check_adam_step(const us_adam_params* params, const float* gradient, float* weights, float* mean,
                          float* square) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const us_status status = check_common(params->count, params->learning_rate, params->weight_decay);
  if (status != US_OK) return status;
  if (params->step < 1) {
    return fail(US_INVALID_ARGUMENT, "step must be at least 1, it is %lld", (long long)params->step);
  }
  if (!(params->beta1 >= 0 && params->beta1 < 1) || !(params->beta2 >= 0 && params->beta2 < 1)) {
    return fail(US_INVALID_ARGUMENT, "beta1 and beta2 must be at least 0 and below 1, they are %g and %g",
                params->beta1, params->beta2);
  }
  if (!(params->epsilon >= 0 && std::isfinite(params->epsilon))) {
    return fail(US_INVALID_ARGUMENT, "epsilon must be at least 0 and finite, it is %g", params->epsilon);
  }
  if (params->decoupled != 0 && params->decoupled != 1) {
    return fail(US_INVALID_ARGUMENT, "decoupled must be 0 or 1, it is %d", (int)params->decoupled);
  }
  const std::int64_t bytes = params->count * kFloat;
  return check_array_spans<4>({{"gradient", gradient, bytes, false},
                               {"weights", weights, bytes, true},
                               {"mean", mean, bytes, true},
                               {"square", square, bytes, true}});
}

}  // namespace us
