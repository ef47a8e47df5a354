#include "unitscope/matmul.h"

#include "cpu/isa.hpp"
#include "cpu/product.hpp"

namespace us::cpu::US_ISA {

us_status matmul(const us_execution* execution, const us_matmul_params* params, const float* a, const float* b, float* c) {
  const us_matmul_params& p = *params;
  const bool ta = p.transpose_a != 0;
  const bool tb = p.transpose_b != 0;
  const Product product{{a, p.m, ta ? 1 : p.lda, ta ? p.lda : 1, nullptr},
                        {b, p.n, tb ? p.ldb : 1, tb ? 1 : p.ldb, nullptr},
                        p.k,
                        c,
                        p.ldc,
                        p.accumulate != 0};
  return multiply(*execution, product);
}

}  // namespace us::cpu::US_ISA
