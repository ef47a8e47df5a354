#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "harness.hpp"

// The reference shares nothing with the library but the params struct: sums of the definition in long double.

namespace {

constexpr long double kEpsilon = 0x1p-24L;

/// k u / (1 - k u), for sums of k roundings.
long double gamma_of(long double roundings) { return roundings * kEpsilon / (1 - roundings * kEpsilon); }

long double roundings_of(std::int64_t k) {
  const std::int64_t block = k < US_PRODUCT_BLOCK ? k : US_PRODUCT_BLOCK;
  const std::int64_t blocks = (k + US_PRODUCT_BLOCK - 1) / US_PRODUCT_BLOCK;
  return static_cast<long double>(block + blocks);
}

std::vector<float> make_values(std::size_t size, std::uint32_t seed) {
  Generator generator(seed);
  std::vector<float> values(size);
  for (float& value : values) value = generator.real();
  return values;
}

std::size_t extent(std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  return rows == 0 || columns == 0 ? 0 : static_cast<std::size_t>((rows - 1) * stride + columns);
}

struct Matrices {
  std::vector<float> a;
  std::vector<float> b;
  std::vector<float> c;
};

Matrices make_matrices(const us_matmul_params& p, std::uint32_t seed) {
  return {make_values(p.transpose_a != 0 ? extent(p.k, p.m, p.lda) : extent(p.m, p.k, p.lda), seed),
          make_values(p.transpose_b != 0 ? extent(p.n, p.k, p.ldb) : extent(p.k, p.n, p.ldb), seed + 1),
          make_values(extent(p.m, p.n, p.ldc), seed + 2)};
}

/// The product by the library, and whether it kept to its memory.
std::vector<float> multiply(Report& report, const us_execution& execution, const us_matmul_params& p,
                            const Matrices& from, std::size_t shift, const std::string& name) {
  GuardedArray<float> a(from.a.size(), shift, from.a);
  GuardedArray<float> b(from.b.size(), shift, from.b);
  GuardedArray<float> c(from.c.size(), shift, from.c);
  us_status status = US_OK;
  {
    const OnBackend<float> on_a(execution, a);
    const OnBackend<float> on_b(execution, b);
    const OnBackend<float> on_c(execution, c);
    status = us_matmul(&execution, &p, on_a.get(), on_b.get(), on_c.get());
  }
  report.check(status == US_OK, "matmul %s: %s", name.c_str(), us_last_error_message());
  report.check(c.is_intact(), "matmul %s: wrote outside", name.c_str());
  return {c.data(), c.data() + c.size()};
}

std::string describe(const us_matmul_params& p, int threads) {
  char text[192];
  std::snprintf(text, sizeof text, "%lld x %lld x %lld, rows %lld %lld %lld apart, transposed %d %d, accumulate %d, threads %d",
                static_cast<long long>(p.m), static_cast<long long>(p.n), static_cast<long long>(p.k),
                static_cast<long long>(p.lda), static_cast<long long>(p.ldb), static_cast<long long>(p.ldc), p.transpose_a,
                p.transpose_b, p.accumulate, threads);
  return text;
}

void run_matmul(Report& report, us_backend backend, const us_matmul_params& p, std::uint32_t seed, std::size_t shift,
                int threads) {
  const std::string name = describe(p, threads);
  Matrices from = make_matrices(p, seed);
  // What is overwritten must not be read.
  if (p.accumulate == 0) from.c.assign(from.c.size(), std::numeric_limits<float>::quiet_NaN());
  const std::vector<float> actual = multiply(report, {backend, threads, nullptr}, p, from, shift, name);
  const auto at = [](const std::vector<float>& matrix, std::int64_t row, std::int64_t column, std::int64_t stride,
                     bool transposed) {
    return static_cast<long double>(matrix[static_cast<std::size_t>(transposed ? column * stride + row : row * stride + column)]);
  };
  const long double bound = gamma_of(roundings_of(p.k) + 1);
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      const auto place = static_cast<std::size_t>(i * p.ldc + j);
      const long double before = p.accumulate != 0 ? static_cast<long double>(from.c[place]) : 0;
      long double sum = before;
      long double magnitude = std::fabs(before);
      for (std::int64_t term = 0; term < p.k; ++term) {
        const long double product = at(from.a, i, term, p.lda, p.transpose_a != 0) * at(from.b, term, j, p.ldb, p.transpose_b != 0);
        sum += product;
        magnitude += std::fabs(product);
      }
      const auto found = static_cast<long double>(actual[place]);
      if (!report.check(std::fabs(found - sum) <= bound * magnitude, "matmul %s: [%lld, %lld] is %.9Lg, not %.9Lg",
                        name.c_str(), static_cast<long long>(i), static_cast<long long>(j), found, sum)) {
        return;
      }
    }
  }
  for (std::size_t place = 0; place < actual.size(); ++place) {
    if (static_cast<std::int64_t>(place) % p.ldc < p.n) continue;
    if (!report.check(bits_of(actual[place]) == bits_of(from.c[place]), "matmul %s: wrote between rows", name.c_str())) {
      return;
    }
  }
}

/// Every way the matrices may lie.
void run_layouts(Report& report, us_backend backend, std::int64_t m, std::int64_t n, std::int64_t k, std::uint32_t seed) {
  for (int layout = 0; layout < 8; ++layout) {
    us_matmul_params p{m, n, k, 0, 0, 0, layout & 1, layout >> 1 & 1, layout >> 2 & 1};
    const std::int64_t gap = (layout + seed) % 3;
    const auto stride = [gap](std::int64_t length) { return length + gap > 0 ? length + gap : 1; };
    p.lda = stride(p.transpose_a != 0 ? m : k);
    p.ldb = stride(p.transpose_b != 0 ? k : n);
    p.ldc = stride(n);
    run_matmul(report, backend, p, seed, static_cast<std::size_t>(seed % 4), static_cast<int>(seed % 5));
  }
}

/// An element depends on its own row and column alone, whatever the shape around it and the number of threads.
void test_same_bits(Report& report, us_backend backend) {
  const us_matmul_params whole{67, 130, 600, 600, 130, 130, 0, 0, 0};
  const Matrices from = make_matrices(whole, 77);
  const std::vector<float> one = multiply(report, {backend, 1, nullptr}, whole, from, 0, "on one thread");
  report.check(multiply(report, {backend, 3, nullptr}, whole, from, 3, "on three threads") == one, "threads change bits");
  us_matmul_params row = whole;
  row.m = 1;
  row.n = 7;
  for (const std::int64_t i : {0, 13, 66}) {
    const auto start = static_cast<std::ptrdiff_t>(i * row.lda);
    const Matrices part{{from.a.begin() + start, from.a.begin() + start + row.lda},
                        {from.b.begin(), from.b.begin() + static_cast<std::ptrdiff_t>(extent(row.k, row.n, row.ldb))},
                        std::vector<float>(7)};
    const std::vector<float> alone = multiply(report, {backend, 2, nullptr}, row, part, 0, "of one row");
    for (std::size_t j = 0; j < 7; ++j) {
      report.check(alone[j] == one[static_cast<std::size_t>(i * row.ldc) + j], "the shape changes bits of row %d", static_cast<int>(i));
    }
  }
}

void test_not_numbers(Report& report, us_backend backend) {
  const us_matmul_params p{5, 9, 3, 3, 9, 9, 0, 0, 0};
  Matrices from{std::vector<float>(15, 1.0F), std::vector<float>(27, 0.0F), std::vector<float>(45)};
  from.a[4] = std::numeric_limits<float>::infinity();
  from.b[8] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> c = multiply(report, {backend, 1, nullptr}, p, from, 0, "with NaN");
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < 9; ++j) {
      // 0 times infinity, or the NaN itself.
      report.check(std::isnan(c[i * 9 + j]) == (i == 1 || j == 8), "[%zu, %zu] is %g", i, j, static_cast<double>(c[i * 9 + j]));
    }
  }
}

void run_cosine(Report& report, us_backend backend, const us_cosine_params& p, std::uint32_t seed, float scale, int threads) {
  const us_execution execution{backend, threads, nullptr};
  char name[128];
  std::snprintf(name, sizeof name, "%lld x %lld rows of %lld times %g, threads %d", static_cast<long long>(p.m),
                static_cast<long long>(p.n), static_cast<long long>(p.k), static_cast<double>(scale), threads);
  const auto rows_of = [&](std::int64_t rows, std::uint32_t from) {
    std::vector<float> values = make_values(static_cast<std::size_t>(rows * p.k), from);
    for (float& value : values) value *= scale;
    // Every fifth row is zeros.
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (static_cast<std::int64_t>(i) / p.k % 5 == 2) values[i] = 0;
    }
    return values;
  };
  const std::vector<float> rows = rows_of(p.m, seed);
  const std::vector<float> columns = rows_of(p.n, seed + 1);
  const std::size_t shift = seed % 4;
  GuardedArray<float> a(rows.size(), shift, rows);
  GuardedArray<float> b(columns.size(), shift, columns);
  GuardedArray<float> c(static_cast<std::size_t>(p.m * p.n), shift);
  us_status status = US_OK;
  {
    const OnBackend<float> on_a(execution, a);
    const OnBackend<float> on_b(execution, b);
    const OnBackend<float> on_c(execution, c);
    status = us_cosine_similarity(&execution, &p, on_a.get(), on_b.get(), on_c.get());
  }
  if (!report.check(status == US_OK, "cosine_similarity %s: %s", name, us_last_error_message())) return;
  report.check(c.is_intact(), "cosine_similarity %s: wrote outside", name);
  const long double bound = gamma_of(roundings_of(p.k) + 4);
  const long double tiny = static_cast<long double>(2 * p.k + 1) * 0x1p-149L;
  const auto k = static_cast<std::size_t>(p.k);
  for (std::size_t i = 0; i < static_cast<std::size_t>(p.m); ++i) {
    for (std::size_t j = 0; j < static_cast<std::size_t>(p.n); ++j) {
      long double dot = 0;
      long double magnitude = 0;
      long double of_a = 0;
      long double of_b = 0;
      for (std::size_t term = 0; term < k; ++term) {
        const auto left = static_cast<long double>(rows[i * k + term]);
        const auto right = static_cast<long double>(columns[j * k + term]);
        dot += left * right;
        magnitude += std::fabs(left * right);
        of_a += left * left;
        of_b += right * right;
      }
      const long double norms = std::sqrt(of_a) * std::sqrt(of_b);
      const long double expected = norms == 0 ? 0 : dot / norms;
      const long double allowed = norms == 0 ? 0 : bound * magnitude / norms + tiny;
      const auto found = static_cast<long double>(c[i * static_cast<std::size_t>(p.n) + j]);
      if (!report.check(std::fabs(found - expected) <= allowed, "cosine_similarity %s: [%zu, %zu] is %.9Lg, not %.9Lg",
                        name, i, j, found, expected)) {
        return;
      }
    }
  }
}

void test_cosine_extremes(Report& report, us_backend backend) {
  const us_execution execution{backend, 1, nullptr};
  const float infinity = std::numeric_limits<float>::infinity();
  GuardedArray<float> a(8, 0, {std::nanf(""), 1, infinity, 0, 0, 0, 3, 4});
  GuardedArray<float> c(16, 0);
  const us_cosine_params p{4, 4, 2};
  us_status status = US_OK;
  {
    const OnBackend<float> on_a(execution, a);
    const OnBackend<float> on_c(execution, c);
    status = us_cosine_similarity(&execution, &p, on_a.get(), on_a.get(), on_c.get());
  }
  report.check(status == US_OK, "rows with themselves: %s", us_last_error_message());
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      const float found = c[i * 4 + j];
      const bool good = i < 2 || j < 2 ? std::isnan(found) : i == 3 && j == 3 ? std::fabs(found - 1) < 1e-6F : found == 0;
      report.check(good, "the cosine of rows %zu and %zu is %g", i, j, static_cast<double>(found));
    }
  }
}

void test_refusals(Report& report) {
  const us_execution cpu{US_BACKEND_CPU, 1, nullptr};
  const float a[4] = {1, 2, 3, 4};
  const float b[4] = {5, 6, 7, 8};
  float c[4] = {};
  const us_matmul_params good{2, 2, 2, 2, 2, 2, 0, 0, 0};
  const auto status_of = [&](const us_matmul_params& p) { return us_matmul(&cpu, &p, a, b, c); };
  report.check(status_of(good) == US_OK && c[0] == 19 && c[1] == 22 && c[2] == 43 && c[3] == 50, "a product by hand");
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  using Spoil = void (*)(us_matmul_params&);
  const Spoil spoils[] = {
      [](us_matmul_params& p) { p.m = -1; },
      [](us_matmul_params& p) { p.n = -1; },
      [](us_matmul_params& p) { p.k = -1; },
      [](us_matmul_params& p) { p.lda = 1; },
      [](us_matmul_params& p) { p.ldb = 1; },
      [](us_matmul_params& p) { p.ldc = 1; },
      [](us_matmul_params& p) { p.ldc = -2; },
      [](us_matmul_params& p) { p.transpose_a = 2; },
      [](us_matmul_params& p) { p.transpose_b = -1; },
      [](us_matmul_params& p) { p.accumulate = 2; },
      [](us_matmul_params& p) { p.lda = kMost; },
      [](us_matmul_params& p) { p.m = kMost, p.k = 1; },
      [](us_matmul_params& p) { p.m = std::int64_t{1} << 32, p.n = p.ldc = p.ldb = std::int64_t{1} << 32; },
  };
  int number = 0;
  for (const Spoil spoil : spoils) {
    us_matmul_params p = good;
    spoil(p);
    report.check(status_of(p) == US_INVALID_ARGUMENT, "wrong params %d are refused", number++);
  }
  report.check(us_matmul(&cpu, nullptr, a, b, c) == US_INVALID_ARGUMENT, "no params");
  report.check(us_matmul(&cpu, &good, nullptr, b, c) == US_INVALID_ARGUMENT, "no a");
  report.check(us_matmul(&cpu, &good, c, b, c) == US_INVALID_ARGUMENT, "c is a");
  report.check(us_matmul(&cpu, &good, a, a, c) == US_OK, "a matrix times itself");
  const us_matmul_params empty{0, 2, 2, 2, 2, 2, 0, 0, 0};
  report.check(us_matmul(&cpu, &empty, nullptr, b, nullptr) == US_OK, "no rows need no memory");
  const us_cosine_params rows{2, 2, 2};
  report.check(us_cosine_similarity(&cpu, nullptr, a, b, c) == US_INVALID_ARGUMENT, "no params of cosines");
  report.check(us_cosine_similarity(&cpu, &rows, a, c, c) == US_INVALID_ARGUMENT, "c is b");
  for (const us_cosine_params& p : {us_cosine_params{-1, 2, 2}, us_cosine_params{2, -1, 2}, us_cosine_params{2, 2, -1},
                                    us_cosine_params{kMost, 2, 2}, us_cosine_params{kMost, kMost, 0}}) {
    report.check(us_cosine_similarity(&cpu, &p, a, b, c) == US_INVALID_ARGUMENT, "%lld x %lld rows of %lld are refused",
                 static_cast<long long>(p.m), static_cast<long long>(p.n), static_cast<long long>(p.k));
  }
}

}  // namespace

void test_products(Report& report, us_backend backend) {
  Generator generator(3);
  std::uint32_t seed = 0;
  // Around the tiles of every instruction set: 4, 6 and 14 rows, 8, 16 and 32 columns.
  for (const std::int64_t m : {1, 4, 5, 6, 7, 13, 14, 15, 29}) {
    for (const std::int64_t n : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65}) {
      run_layouts(report, backend, m, n, generator.integer(1, 20), seed++);
    }
  }
  // Around the blocks of terms, of rows and of columns.
  for (const std::int64_t k : {0, 255, 256, 257, 513}) run_layouts(report, backend, 9, 35, k, seed++);
  run_layouts(report, backend, 130, 40, 40, seed++);
  run_layouts(report, backend, 7, 2090, 30, seed++);
  run_layouts(report, backend, 260, 150, 70, seed++);
  // Enough elements for the large tiles of a device.
  run_matmul(report, backend, {1410, 1530, 5, 5, 1530, 1530, 0, 0, 0}, seed++, 0, 0);
  run_layouts(report, backend, 0, 5, 3, seed++);
  run_layouts(report, backend, 5, 0, 3, seed++);
  test_same_bits(report, backend);
  test_not_numbers(report, backend);
  for (const us_cosine_params& p : {us_cosine_params{1, 1, 1}, us_cosine_params{7, 35, 3}, us_cosine_params{33, 17, 29},
                                    us_cosine_params{20, 60, 300}, us_cosine_params{200, 130, 64}}) {
    // Squares of the largest overflow in float32, and those of the smallest vanish.
    for (const float scale : {1.0F, 1e37F, 1e-37F}) {
      run_cosine(report, backend, p, seed, scale, static_cast<int>(seed % 4));
      ++seed;
    }
  }
  run_cosine(report, backend, {3, 4, 0}, seed++, 1, 1);
  run_cosine(report, backend, {0, 4, 5}, seed++, 1, 1);
  test_cosine_extremes(report, backend);
  if (backend == US_BACKEND_CPU) test_refusals(report);
}
