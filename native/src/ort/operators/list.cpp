#include "ort/operators/list.hpp"

namespace us::ort {

std::vector<const OperatorDefinition*> operator_definitions() {
  return {&relu_grad,       &max_pool_grad,    &split_relu_grad, &global_average_pool_grad,
          &phase_interleave, &conv_weight_grad};
}

}  // namespace us::ort
