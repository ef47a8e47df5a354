#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

// Of loops of a few instructions: a jump back after every element costs as much as the element.
#define US_UNROLL _Pragma("GCC unroll 4")

namespace us::cpu::US_ISA {
namespace {

#if defined(__AVX512F__)
constexpr std::int64_t kLanes = 16;
#elif defined(__AVX2__)
constexpr std::int64_t kLanes = 8;
#else
constexpr std::int64_t kLanes = 4;
#endif

/// Rows in scratch memory end with room for one more vector load or store of any instruction set.
constexpr std::int64_t kSlack = 16;

using Floats [[gnu::vector_size(kLanes * 4)]] = float;
using Ints [[gnu::vector_size(kLanes * 4)]] = std::int32_t;
using UnalignedFloats [[gnu::vector_size(kLanes * 4), gnu::aligned(4), gnu::may_alias]] = float;
using UnalignedInts [[gnu::vector_size(kLanes * 4), gnu::aligned(4), gnu::may_alias]] = std::int32_t;

inline Floats load(const float* from) { return *reinterpret_cast<const UnalignedFloats*>(from); }
inline Ints load(const std::int32_t* from) { return *reinterpret_cast<const UnalignedInts*>(from); }
inline void store(float* to, Floats values) { *reinterpret_cast<UnalignedFloats*>(to) = values; }
inline void store(std::int32_t* to, Ints values) { *reinterpret_cast<UnalignedInts*>(to) = values; }
inline Floats splat(float value) { return Floats{} + value; }
inline Ints splat(std::int32_t value) { return Ints{} + value; }

/// a * b + sum, rounded once where the instruction set can.
inline Floats multiply_add(Floats a, Floats b, Floats sum) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, sum);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, sum);
#else
  return a * b + sum;
#endif
}

using Bytes [[gnu::vector_size(kLanes)]] = std::uint8_t;
using UnalignedBytes [[gnu::vector_size(kLanes), gnu::aligned(1), gnu::may_alias]] = std::uint8_t;

/// Bytes widened to lanes, and lanes of 0 to 255 narrowed to bytes.
inline Ints load(const std::uint8_t* from) {
#if defined(__AVX512F__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return reinterpret_cast<Ints>(_mm512_maskz_cvtepu8_epi32(0xffff, bytes));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#elif defined(__SSE2__)
  std::int32_t bytes = 0;
  __builtin_memcpy(&bytes, from, sizeof bytes);
  const __m128i words = _mm_unpacklo_epi8(_mm_cvtsi32_si128(bytes), _mm_setzero_si128());
  return reinterpret_cast<Ints>(_mm_unpacklo_epi16(words, _mm_setzero_si128()));
#else
  return __builtin_convertvector(static_cast<Bytes>(*reinterpret_cast<const UnalignedBytes*>(from)), Ints);
#endif
}
inline void store(std::uint8_t* to, Ints values) {
#if defined(__AVX512F__)
  // All lanes kept; the form without a mask leaves a variable unset that GCC 12 warns of.
  const __m128i bytes = _mm512_maskz_cvtepi32_epi8(0xffff, reinterpret_cast<__m512i>(values));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
#elif defined(__AVX2__)
  const auto wide = reinterpret_cast<__m256i>(values);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(words, words));
#elif defined(__SSE2__)
  const auto wide = reinterpret_cast<__m128i>(values);
  const __m128i words = _mm_packs_epi32(wide, wide);
  const std::int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
  __builtin_memcpy(to, &bytes, sizeof bytes);
#else
  *reinterpret_cast<UnalignedBytes*>(to) = __builtin_convertvector(values, Bytes);
#endif
}

/// Whether any lane of a comparison is true.
inline bool any(Ints mask) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask)) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_epi8(reinterpret_cast<__m256i>(mask)) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_epi8(reinterpret_cast<__m128i>(mask)) != 0;
#else
  std::int32_t all = 0;
  for (std::int64_t lane = 0; lane < kLanes; ++lane) all |= mask[lane];
  return all != 0;
#endif
}

/// Copies a short row without a call.
inline void copy_row(float* to, const float* from, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
  if (i == count) return;
  if (count >= kLanes) {
    // The last vector overlaps the one before it.
    store(to + count - kLanes, load(from + count - kLanes));
    return;
  }
  for (; i < count; ++i) to[i] = from[i];
}

/// Stores a0 b0 a1 b1 ...
inline void store_interleaved(float* to, Floats a, Floats b) {
#if defined(__AVX512F__)
  const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512i high = _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
  _mm512_storeu_ps(to, _mm512_permutex2var_ps(a, low, b));
  _mm512_storeu_ps(to + 16, _mm512_permutex2var_ps(a, high, b));
#elif defined(__AVX__)
  const __m256 low = _mm256_unpacklo_ps(a, b);
  const __m256 high = _mm256_unpackhi_ps(a, b);
  _mm256_storeu_ps(to, _mm256_permute2f128_ps(low, high, 0x20));
  _mm256_storeu_ps(to + 8, _mm256_permute2f128_ps(low, high, 0x31));
#elif defined(__SSE2__)
  _mm_storeu_ps(to, _mm_unpacklo_ps(a, b));
  _mm_storeu_ps(to + 4, _mm_unpackhi_ps(a, b));
#else
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    to[2 * lane] = a[lane];
    to[2 * lane + 1] = b[lane];
  }
#endif
}

/// Takes a0 b0 a1 b1 ... apart.
inline void load_interleaved(const float* from, Floats& a, Floats& b) {
#if defined(__AVX512F__)
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  const __m512 low = _mm512_loadu_ps(from);
  const __m512 high = _mm512_loadu_ps(from + 16);
  a = _mm512_permutex2var_ps(low, even, high);
  b = _mm512_permutex2var_ps(low, odd, high);
#elif defined(__AVX2__)
  const __m256 low = _mm256_loadu_ps(from);
  const __m256 high = _mm256_loadu_ps(from + 8);
  const __m256d even = _mm256_castps_pd(_mm256_shuffle_ps(low, high, 0x88));
  const __m256d odd = _mm256_castps_pd(_mm256_shuffle_ps(low, high, 0xdd));
  a = _mm256_castpd_ps(_mm256_permute4x64_pd(even, 0xd8));
  b = _mm256_castpd_ps(_mm256_permute4x64_pd(odd, 0xd8));
#elif defined(__SSE2__)
  const __m128 low = _mm_loadu_ps(from);
  const __m128 high = _mm_loadu_ps(from + 4);
  a = _mm_shuffle_ps(low, high, 0x88);
  b = _mm_shuffle_ps(low, high, 0xdd);
#else
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    a[lane] = from[2 * lane];
    b[lane] = from[2 * lane + 1];
  }
#endif
}

/// Copies `bytes` to memory that will not be read soon, past the caches: saves reading the lines that are overwritten.
/// `to` is 64-byte aligned and `bytes` a multiple of 64.
inline void copy_past_caches(char* to, const char* from, std::int64_t bytes) {
#if defined(__AVX512F__)
  for (std::int64_t i = 0; i < bytes; i += 64) _mm512_stream_ps(reinterpret_cast<float*>(to + i), _mm512_loadu_ps(from + i));
#elif defined(__AVX__)
  for (std::int64_t i = 0; i < bytes; i += 64) {
    const auto* source = reinterpret_cast<const float*>(from + i);
    auto* target = reinterpret_cast<float*>(to + i);
    _mm256_stream_ps(target, _mm256_loadu_ps(source));
    _mm256_stream_ps(target + 8, _mm256_loadu_ps(source + 8));
  }
#elif defined(__SSE2__)
  for (std::int64_t i = 0; i < bytes; i += 64) {
    const auto* source = reinterpret_cast<const float*>(from + i);
    auto* target = reinterpret_cast<float*>(to + i);
    for (int part = 0; part < 16; part += 4) _mm_stream_ps(target + part, _mm_loadu_ps(source + part));
  }
#else
  __builtin_memcpy(to, from, static_cast<std::size_t>(bytes));
#endif
}

/// Makes what copy_past_caches wrote visible to other threads.
inline void finish_copies_past_caches() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

}  // namespace
}  // namespace us::cpu::US_ISA
