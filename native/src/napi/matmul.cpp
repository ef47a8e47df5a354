#include "napi/bindings.hpp"

namespace us::node {
namespace {

us_matmul_params params_of(const Arguments& from) {
  constexpr std::int64_t kMaxSize = (std::int64_t{1} << 53) - 1;
  const auto flag = [&](const char* name) { return static_cast<std::int32_t>(from.integer(name, 0, 1)); };
  us_matmul_params params{};
  params.m = from.integer("m", 0, kMaxSize);
  params.n = from.integer("n", 0, kMaxSize);
  params.k = from.integer("k", 0, kMaxSize);
  params.lda = from.integer("lda", 1, kMaxSize);
  params.ldb = from.integer("ldb", 1, kMaxSize);
  params.ldc = from.integer("ldc", 1, kMaxSize);
  params.transpose_a = flag("transposeA");
  params.transpose_b = flag("transposeB");
  params.accumulate = flag("accumulate");
  return params;
}

/// Elements from a matrix's first to its last.
std::int64_t extent(const Arguments& from, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  if (rows == 0 || columns == 0) return 0;
  return from.count({rows - 1, stride}) + columns;
}

/// { m, n, k, lda, ldb, ldc, transposeA, transposeB, accumulate: 0 | 1, a, b: Float32Array, c: Float32Array (written, or
///   updated) }
struct Matmul final : Job {
  explicit Matmul(Arguments& from)
      : params(params_of(from)),
        a(from.input<float>("a", params.transpose_a != 0 ? extent(from, params.k, params.m, params.lda)
                                                         : extent(from, params.m, params.k, params.lda))),
        b(from.input<float>("b", params.transpose_b != 0 ? extent(from, params.n, params.k, params.ldb)
                                                         : extent(from, params.k, params.n, params.ldb))),
        c(make_c(from, params)) {}

  us_status run(const us_execution& execution) override {
    return us_matmul(&execution, &params, a.as<float>(), b.as<float>(), c.as<float>());
  }

  /// What lies between the rows of C is handed back as it was, so it must go along.
  static Buffer& make_c(Arguments& from, const us_matmul_params& params) {
    const std::int64_t count = extent(from, params.m, params.n, params.ldc);
    const bool is_read = params.accumulate != 0 || params.ldc > params.n;
    return is_read ? from.updated<float>("c", count) : from.output<float>("c", count);
  }

  us_matmul_params params;
  Buffer& a;
  Buffer& b;
  Buffer& c;
};

}  // namespace

std::unique_ptr<Job> bind_matmul(Arguments& from) { return std::make_unique<Matmul>(from); }

}  // namespace us::node
