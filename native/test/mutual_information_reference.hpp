#pragma once

#include <cstdint>
#include <vector>

#include "unitscope/unitscope.h"

/// Values in double and, beside each, the sum of the sizes of what was added up for it.
struct Bounded {
  std::vector<double> values;
  std::vector<double> magnitudes;
};

Bounded reference_scores(const us_mi_params& params, const std::vector<float>& x);

/// An empty log_z means the batch's own.
Bounded reference_mi_loss(const us_mi_params& params, const std::vector<float>& x, const std::vector<float>& log_z);
Bounded reference_mi_gradient(const us_mi_params& params, us_mi_mode mode, const std::vector<float>& x,
                              const std::vector<std::uint8_t>& targets, const std::vector<float>& log_z);
Bounded reference_released_gradient(const us_mi_params& params, const us_mi_released& released, const std::vector<float>& x,
                                    const std::vector<std::uint8_t>& targets, const std::vector<float>& slopes);
