#include "unitscope/cosine_similarity.h"

#include "cpu/exponential.hpp"
#include "cpu/isa.hpp"
#include "cpu/product.hpp"

namespace us::cpu::US_ISA {
namespace {

double norm_of(const float* row, std::int64_t count) {
  Doubles sums{};
  std::int64_t i = 0;
  for (; i + kDoubleLanes <= count; i += kDoubleLanes) {
    Doubles values{};
    for (std::int64_t lane = 0; lane < kDoubleLanes; ++lane) values[lane] = static_cast<double>(row[i + lane]);
    sums += values * values;
  }
  double sum = 0;
  for (std::int64_t lane = 0; lane < kDoubleLanes; ++lane) sum += sums[lane];
  for (; i < count; ++i) sum += static_cast<double>(row[i]) * static_cast<double>(row[i]);
  return __builtin_sqrt(sum);
}

/// What brings the rows of A, and then those of B, to length 1.
struct Scales {
  const float* a;
  const float* b;
  std::int64_t rows_of_a;
  std::int64_t depth;
  double* to;
};

us_status find_scales(void* opaque, TaskRange range) {
  const auto& from = *static_cast<const Scales*>(opaque);
  for (std::int64_t row = range.begin; row < range.end; ++row) {
    const float* const values =
        row < from.rows_of_a ? from.a + row * from.depth : from.b + (row - from.rows_of_a) * from.depth;
    const double norm = norm_of(values, from.depth);
    // An infinite norm gives 0, and 0 times the infinity that made it NaN.
    from.to[row] = norm == 0 ? 0 : 1 / norm;
  }
  return US_OK;
}

}  // namespace

us_status cosine_similarity(const us_execution* execution, const us_cosine_params* params, const float* a, const float* b,
                            float* c) {
  const auto& [m, n, k] = *params;
  if (m == 0 || n == 0) return US_OK;
  const std::int64_t rows = m + n;
  auto* const scales = static_cast<double*>(__builtin_malloc(static_cast<std::size_t>(rows) * sizeof(double)));
  if (scales == nullptr) {
    return fail(US_OUT_OF_MEMORY, "the norms of %lld rows cannot be allocated", (long long)rows);
  }
  Scales work{a, b, m, k, scales};
  us_status status = run_tasks(task_count(execution->threads, rows, k), rows, find_scales, &work);
  if (status == US_OK) {
    const Product product{{a, m, k, 1, scales}, {b, n, k, 1, scales + m}, k, c, n, false};
    status = multiply(*execution, product);
  }
  __builtin_free(scales);
  return status;
}

}  // namespace us::cpu::US_ISA
