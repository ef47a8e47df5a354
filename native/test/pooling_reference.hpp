#pragma once

#include <cstdint>
#include <vector>

#include "unitscope/pool2d.h"
#include "unitscope/signal_rule.h"

// The definitions, in double, sharing nothing with the library but the params struct.

struct PooledReference {
  std::vector<double> maxima;
  std::vector<std::uint8_t> switches;
};

struct SumReference {
  std::vector<double> sums;
  std::vector<double> magnitudes;  // sum of |terms|
  std::vector<int> terms;
};

PooledReference reference_max_pool(const us_pool2d_params& params, const std::vector<float>& x);
SumReference reference_unpool(const us_pool2d_params& params, bool overwrite, const std::vector<float>& y,
                              const std::vector<std::uint8_t>& switches);

/// What the ReLU that made x lets through of the signal.
float reference_signal(us_signal_rule rule, float signal, float x);
