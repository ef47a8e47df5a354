#ifndef UNITSCOPE_SIGNAL_RULE_H
#define UNITSCOPE_SIGNAL_RULE_H

#include "unitscope/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the ReLU that made x lets through of a signal R at x, for x = ReLU(z). Applied to the finished sum of R:
 *
 *   NONE       R                        the signal at x itself
 *   GRADIENT   R [x > 0]                backpropagation: Simonyan et al., arXiv:1312.6034
 *   GUIDED     max(R, 0) [x > 0]        guided backpropagation: Springenberg et al., arXiv:1412.6806
 *   DECONVNET  max(R, 0)                the deconvnet: Zeiler and Fergus, arXiv:1311.2901
 *
 * x > 0 where z > 0, so z is not needed. What is not let through is 0, whatever R is; a NaN in x is not larger than 0.
 * A NaN in R stays NaN under max.
 */
typedef enum us_signal_rule {
  US_SIGNAL_RULE_NONE = 0,
  US_SIGNAL_RULE_GRADIENT = 1,
  US_SIGNAL_RULE_GUIDED = 2,
  US_SIGNAL_RULE_DECONVNET = 3,
  US_SIGNAL_RULE_WIDTH = 0x7fffffff
} us_signal_rule;

#ifdef __cplusplus
}
#endif

#endif
