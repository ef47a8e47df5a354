#pragma once

#include "unitscope/adam_step.h"
#include "unitscope/sgd_step.h"

namespace us {

/// The constants of one step, rounded to float.
struct SgdConstants {
  float learning_rate;
  float momentum;
  float weight_decay;
};

SgdConstants sgd_constants(const us_sgd_params& params);

struct AdamConstants {
  float rate;  // a
  float beta1;
  float rest1;  // 1 - beta1
  float beta2;
  float rest2;
  float scale;  // b
  float epsilon;
  float weight_decay;
  float shrink;  // 1 - learning_rate weight_decay
};

AdamConstants adam_constants(const us_adam_params& params);

}  // namespace us
