#pragma once

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "cpu/packed_lines.hpp"
#include "unitscope/matmul.h"

namespace us::cpu::US_ISA {
namespace {

/// C = A B, or C + A B: lines of A against lines of B, `depth` terms each.
struct Product {
  Lines a;
  Lines b;
  std::int64_t depth;
  float* c;
  std::int64_t stride;  // from one row of C to the next
  bool accumulate;
};

/// C is made in tiles that stay in registers while the terms of a block go by: kTileRows broadcast elements of A meet two
/// vectors of B. One register short of all, or thereabouts.
#if defined(__AVX512F__)
constexpr std::int64_t kTileRows = 14;
#elif defined(__AVX2__)
constexpr std::int64_t kTileRows = 6;
#else
constexpr std::int64_t kTileRows = 4;
#endif
constexpr std::int64_t kTileVectors = 2;
constexpr std::int64_t kTileColumns = kTileVectors * kLanes;

/// Terms of a block: 16 KB of a panel of B beside a panel of A in the first cache. It is part of the contract.
constexpr std::int64_t kDepth = US_PRODUCT_BLOCK;
/// Packed lines of A for the second cache, of B for the third.
constexpr std::int64_t kBlockRows = 126 / kTileRows * kTileRows;
constexpr std::int64_t kBlockColumns = 2048;

inline Floats broadcast(const float* from) {
#if defined(__AVX512F__)
  return _mm512_set1_ps(*from);
#elif defined(__AVX__)
  return _mm256_broadcast_ss(from);
#elif defined(__SSE2__)
  return _mm_set1_ps(*from);
#else
  return splat(*from);
#endif
}

/// One whole tile of C from one panel of A and one of B.
inline void make_tile(std::int64_t depth, const float* a, const float* b, float* c, std::int64_t stride, bool add) {
  Floats sums[kTileRows][kTileVectors] = {};
  for (std::int64_t p = 0; p < depth; ++p, a += kTileRows, b += kTileColumns) {
    const Floats left = load(b);
    const Floats right = load(b + kLanes);
#pragma GCC unroll 16
    for (std::int64_t row = 0; row < kTileRows; ++row) {
      const Floats factor = broadcast(a + row);
      sums[row][0] = multiply_add(factor, left, sums[row][0]);
      sums[row][1] = multiply_add(factor, right, sums[row][1]);
    }
  }
#pragma GCC unroll 16
  for (std::int64_t row = 0; row < kTileRows; ++row, c += stride) {
    store(c, add ? load(c) + sums[row][0] : sums[row][0]);
    store(c + kLanes, add ? load(c + kLanes) + sums[row][1] : sums[row][1]);
  }
}

/// A tile that C ends in. What lies beyond C is made of zeros and dropped, so the sums inside are those of a whole tile.
inline void make_partial_tile(std::int64_t depth, const float* a, const float* b, float* c, std::int64_t stride, bool add,
                              std::int64_t rows, std::int64_t columns) {
  float tile[kTileRows * kTileColumns];
  make_tile(depth, a, b, tile, kTileColumns, false);
  for (std::int64_t row = 0; row < rows; ++row) {
    float* const to = c + row * stride;
    const float* const from = tile + row * kTileColumns;
    for (std::int64_t column = 0; column < columns; ++column) {
      to[column] = add ? to[column] + from[column] : from[column];
    }
  }
}

inline std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
inline std::int64_t panels_of(std::int64_t lines, std::int64_t width) { return (lines + width - 1) / width; }

/// A block of terms of a block of C's columns, as tasks see it.
struct ProductStep {
  const Product* product;
  std::int64_t first_column;
  std::int64_t columns;
  std::int64_t first_term;
  std::int64_t terms;
  std::int64_t chunks;  // ranges of columns that are shared out one by one
  float* packed_b;
  float* packed_a;  // kBlockRows x kDepth for each task

  std::int64_t column_panels() const { return panels_of(columns, kTileColumns); }
  std::int64_t row_panels() const { return panels_of(product->a.count, kTileRows); }
};

/// Packs some panels of B.
inline us_status pack_columns(void* opaque, TaskRange range) {
  const auto& step = *static_cast<const ProductStep*>(opaque);
  for (std::int64_t panel = range.begin; panel < range.end; ++panel) {
    const std::int64_t line = panel * kTileColumns;
    pack_panel<kTileColumns>(step.product->b, step.first_column + line, least(kTileColumns, step.columns - line),
                             step.first_term, step.terms, step.packed_b + line * step.terms);
  }
  return US_OK;
}

/// Multiplies packed rows of A, at most kBlockRows, with a range of packed panels of B.
inline void multiply_block(const ProductStep& step, const float* packed_a, std::int64_t first_row, std::int64_t rows,
                           std::int64_t first_panel, std::int64_t last_panel) {
  const Product& product = *step.product;
  const bool add = product.accumulate || step.first_term > 0;
  for (std::int64_t panel = first_panel; panel < last_panel; ++panel) {
    const std::int64_t column = panel * kTileColumns;
    const std::int64_t columns = least(kTileColumns, step.columns - column);
    const float* const b = step.packed_b + column * step.terms;
    for (std::int64_t row = 0; row < rows; row += kTileRows) {
      float* const c = product.c + (first_row + row) * product.stride + step.first_column + column;
      const float* const a = packed_a + row * step.terms;
      const std::int64_t rows_here = least(kTileRows, rows - row);
      if (rows_here == kTileRows && columns == kTileColumns) {
        make_tile(step.terms, a, b, c, product.stride, add);
      } else {
        make_partial_tile(step.terms, a, b, c, product.stride, add, rows_here, columns);
      }
    }
  }
}

/// One item is one panel of rows in one chunk of the columns.
inline us_status multiply_rows(void* opaque, TaskRange range) {
  const auto& step = *static_cast<const ProductStep*>(opaque);
  const Lines& a = step.product->a;
  float* const packed_a = step.packed_a + range.task * (kBlockRows * kDepth);
  const std::int64_t row_panels = step.row_panels();
  const std::int64_t column_panels = step.column_panels();
  std::int64_t item = range.begin;
  while (item < range.end) {
    const std::int64_t chunk = item / row_panels;
    const std::int64_t first = item % row_panels;
    const std::int64_t panels = least(least(row_panels - first, range.end - item), kBlockRows / kTileRows);
    const std::int64_t first_row = first * kTileRows;
    const std::int64_t rows = least(panels * kTileRows, a.count - first_row);
    for (std::int64_t row = 0; row < rows; row += kTileRows) {
      pack_panel<kTileRows>(a, first_row + row, least(kTileRows, rows - row), step.first_term, step.terms,
                            packed_a + row * step.terms);
    }
    multiply_block(step, packed_a, first_row, rows, column_panels * chunk / step.chunks,
                   column_panels * (chunk + 1) / step.chunks);
    item += panels;
  }
  return US_OK;
}

/// Without terms the sums are 0.
inline void add_nothing(const Product& product) {
  if (product.accumulate) return;
  for (std::int64_t row = 0; row < product.a.count; ++row) {
    float* const to = product.c + row * product.stride;
    for (std::int64_t column = 0; column < product.b.count; ++column) to[column] = 0;
  }
}

/// How many tasks, from what a tile costs: a core makes a dozen multiplications while it moves an element.
inline int product_tasks(std::int32_t threads, const ProductStep& step) {
  constexpr std::int64_t kMany = std::int64_t{1} << 30;
  const std::int64_t tiles = least(step.row_panels(), kMany) * step.column_panels();
  return task_count(threads, tiles, kTileRows * kTileColumns * step.terms / 12 + 1);
}

/// After the blocks of Goto and van de Geijn (ACM TOMS 34(3), 2008): B is packed once for all tasks, A by each task. The
/// blocks of terms follow each other for the whole of C, so no sum depends on how the tasks share the tiles.
inline us_status multiply(const us_execution& execution, const Product& product) {
  if (product.a.count == 0 || product.b.count == 0) return US_OK;
  if (product.depth == 0) {
    add_nothing(product);
    return US_OK;
  }
  ProductStep step{};
  step.product = &product;
  step.columns = least(product.b.count, kBlockColumns);
  step.terms = least(product.depth, kDepth);
  const int tasks = product_tasks(execution.threads, step);
  // Each chunk packs A anew, so there are only as many as it takes to share few rows evenly.
  constexpr std::int64_t kItemsPerTask = 8;
  step.chunks = tasks == 1 ? 1 : least(step.column_panels(), panels_of(kItemsPerTask * tasks, step.row_panels()));
  const std::int64_t packed_b = step.column_panels() * kTileColumns * step.terms;
  const std::int64_t bytes = (packed_b + tasks * kBlockRows * kDepth) * std::int64_t{sizeof(float)} + kCacheLine;
  void* const block = __builtin_malloc(static_cast<std::size_t>(bytes));
  if (block == nullptr) {
    return fail(US_OUT_OF_MEMORY, "%lld bytes of scratch memory cannot be allocated", (long long)bytes);
  }
  const auto misaligned = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(block) % kCacheLine);
  step.packed_b = reinterpret_cast<float*>(static_cast<char*>(block) + (kCacheLine - misaligned));
  step.packed_a = step.packed_b + packed_b;
  us_status status = US_OK;
  for (std::int64_t column = 0; column < product.b.count && status == US_OK; column += kBlockColumns) {
    step.first_column = column;
    step.columns = least(kBlockColumns, product.b.count - column);
    step.chunks = least(step.chunks, step.column_panels());
    for (std::int64_t term = 0; term < product.depth && status == US_OK; term += kDepth) {
      step.first_term = term;
      step.terms = least(kDepth, product.depth - term);
      const std::int64_t panels = step.column_panels();
      const int packers = task_count(execution.threads, panels, kTileColumns * step.terms);
      status = run_tasks(packers < tasks ? packers : tasks, panels, pack_columns, &step);
      const std::int64_t work = step.row_panels() * step.chunks;
      if (status == US_OK) status = run_tasks(static_cast<int>(least(tasks, work)), work, multiply_rows, &step);
    }
  }
  __builtin_free(block);
  return status;
}

}  // namespace
}  // namespace us::cpu::US_ISA
