#pragma once

#include <cstdint>
#include <vector>

#include "unitscope/mask_forward.h"

// The definitions, in double, sharing nothing with the library but the params struct.

struct MaskReference {
  std::vector<double> values;
  std::vector<double> magnitudes;  // |value| with all terms of the template counted positive, for bounds on rounding
};

double reference_template(int size, double height, double beta, int mu, int cell);
std::vector<std::int32_t> reference_locations(const us_mask_params& params, us_mask_location location,
                                              const std::vector<float>& x);
MaskReference reference_mask(const us_mask_params& params, const std::vector<float>& x, const std::vector<float>& beta,
                             const std::vector<std::int32_t>& mu);
/// Without x an empty vector.
MaskReference reference_mask_backward(const us_mask_params& params, const std::vector<float>& dy, const std::vector<float>& x,
                                      const std::vector<float>& beta, const std::vector<std::int32_t>& mu);
