#include "core/checks.hpp"
#include "core/error.hpp"
#include "core/spans.hpp"

namespace us {
namespace {

constexpr std::int64_t kMaxBytes = std::int64_t{1} << 55;

us_status check_sizes(std::int64_t m, std::int64_t n, std::int64_t k) {
  if (m >= 0 && n >= 0 && k >= 0) return US_OK;
  return fail(US_INVALID_ARGUMENT, "m, n and k must not be negative, they are %lld, %lld and %lld", (long long)m,
              (long long)n, (long long)k);
}

/// A stored matrix: what it is called, and how its rows lie.
struct Stored {
  const char* name;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t stride;
};

/// The bytes from the first element to the last.
us_status measure(const Stored& matrix, std::int64_t& bytes) {
  const auto& [name, rows, columns, stride] = matrix;
  if (stride < columns || stride < 1) {
    return fail(US_INVALID_ARGUMENT, "ld%s must be at least the length of a row, %lld, it is %lld", name,
                (long long)(columns > 0 ? columns : 1), (long long)stride);
  }
  bytes = 0;
  if (rows == 0 || columns == 0) return US_OK;
  if (__builtin_mul_overflow(rows - 1, stride, &bytes) || __builtin_add_overflow(bytes, columns, &bytes) ||
      __builtin_mul_overflow(bytes, std::int64_t{sizeof(float)}, &bytes) || bytes > kMaxBytes) {
    return fail(US_INVALID_ARGUMENT, "%s of %lld rows, %lld apart, has more elements than can be counted", name,
                (long long)rows, (long long)stride);
  }
  return US_OK;
}

us_status check_product(const Stored (&stored)[3], const float* a, const float* b, const float* c) {
  std::int64_t bytes[3] = {};
  for (int i = 0; i < 3; ++i) {
    const us_status status = measure(stored[i], bytes[i]);
    if (status != US_OK) return status;
  }
  return check_array_spans<3>({{"a", a, bytes[0], false}, {"b", b, bytes[1], false}, {"c", c, bytes[2], true}});
}

us_status check_flag(const char* name, std::int32_t value) {
  if (value == 0 || value == 1) return US_OK;
  return fail(US_INVALID_ARGUMENT, "%s must be 0 or 1, it is %d", name, (int)value);
}

}  // namespace

us_status check_matmul(const us_matmul_params* params, const float* a, const float* b, float* c) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const us_matmul_params& p = *params;
  us_status status = check_sizes(p.m, p.n, p.k);
  if (status == US_OK) status = check_flag("transpose_a", p.transpose_a);
  if (status == US_OK) status = check_flag("transpose_b", p.transpose_b);
  if (status == US_OK) status = check_flag("accumulate", p.accumulate);
  if (status != US_OK) return status;
  const bool ta = p.transpose_a == 1;
  const bool tb = p.transpose_b == 1;
  return check_product({{"a", ta ? p.k : p.m, ta ? p.m : p.k, p.lda},
                        {"b", tb ? p.n : p.k, tb ? p.k : p.n, p.ldb},
                        {"c", p.m, p.n, p.ldc}},
                       a, b, c);
}

us_status check_cosine_similarity(const us_cosine_params* params, const float* a, const float* b, float* c) {
  if (params == nullptr) return fail(US_INVALID_ARGUMENT, "params must not be NULL");
  const auto& [m, n, k] = *params;
  const us_status status = check_sizes(m, n, k);
  if (status != US_OK) return status;
  const std::int64_t row = k > 0 ? k : 1;
  return check_product({{"a", m, k, row}, {"b", n, k, row}, {"c", m, n, n > 0 ? n : 1}}, a, b, c);
}

}  // namespace us
