#pragma once

#include <vector>

#include "ort/custom_operator.hpp"

namespace us::ort {

// One file per operator, and one line here and in list.cpp.
extern const OperatorDefinition relu_grad;
extern const OperatorDefinition max_pool_grad;
extern const OperatorDefinition split_relu_grad;
extern const OperatorDefinition global_average_pool_grad;
extern const OperatorDefinition phase_interleave;
extern const OperatorDefinition conv_weight_grad;

std::vector<const OperatorDefinition*> operator_definitions();

}  // namespace us::ort
