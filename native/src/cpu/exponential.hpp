#pragma once

#include "cpu/simd.hpp"

namespace us::cpu::US_ISA {
namespace {

constexpr std::int64_t kDoubleLanes = kLanes / 2;

using Doubles [[gnu::vector_size(kDoubleLanes * 8)]] = double;
using Longs [[gnu::vector_size(kDoubleLanes * 8)]] = std::int64_t;

inline Doubles splat_double(double value) { return Doubles{} + value; }

/// The larger one; `b` where either is NaN.
inline Doubles larger(Doubles a, Doubles b) { return a > b ? a : b; }

constexpr double kLog2 = 0x1.62e42fefa39efp-1;
// Two parts of log 2, the first with so few digits that its product with an exponent is exact.
constexpr double kLog2High = 0x1.62e42feep-1;
constexpr double kLog2Low = 0x1.a39ef35793c76p-33;
// Adding it leaves the integer nearest to a small number in the lowest bits.
constexpr double kRounder = 0x1.8p52;

/// e^x within 2^-44 of its value and 2^-52 |x e^x|, for x up to 600; e^-690 below -690; NaN for NaN.
inline Doubles quick_exponential(Doubles x) {
  x = larger(splat_double(-690), x);
  // The lowest bits hold the exponent's field of 2^power.
  const Doubles rounded = x * (1 / kLog2) + (kRounder + 1023);
  const Doubles power = rounded - (kRounder + 1023);
  const Doubles r = x - power * kLog2;
  // (e^r - 1) / r interpolated at the zeros of the Chebyshev polynomial, |r| <= log(2)/2; the powers of r are summed by
  // pairs so that the additions do not wait for each other.
  const Doubles r2 = r * r;
  const Doubles r4 = r2 * r2;
  const Doubles a = (1.0 + r) + r2 * (0x1.fffffffff71b2p-2 + r * 0x1.5555555553b78p-3);
  const Doubles b =
      (0x1.555555742d965p-5 + r * 0x1.1111111c478ebp-7) + r2 * (0x1.6c164de86dafdp-10 + r * 0x1.a019ada3609f3p-13);
  const Doubles c = 0x1.a15a600528a0fp-16 + r * 0x1.72c72ca338df0p-19;
  const Doubles series = a + r4 * (b + r4 * c);
  const Longs bits = reinterpret_cast<Longs>(rounded) << 52;
  return series * reinterpret_cast<Doubles>(bits);
}

/// e^x within a few units of the last place: 0 below -700, e^600 above 600, NaN for NaN.
inline Doubles exponential(Doubles x) {
  const Doubles low = splat_double(-700);
  const Doubles high = splat_double(600);
  const auto vanishes = x < low;
  x = vanishes ? low : x;
  x = x > high ? high : x;
  const Doubles rounded = x * (1 / kLog2) + kRounder;
  const Doubles power = rounded - kRounder;
  const Doubles r = (x - power * kLog2High) - power * kLog2Low;
  // The series of e^r up to r^11, |r| <= log(2)/2.
  const Doubles r2 = r * r;
  const Doubles r4 = r2 * r2;
  const Doubles a = (1.0 + r) + r2 * (1.0 / 2 + r * (1.0 / 6));
  const Doubles b = (1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720 + r * (1.0 / 5040));
  const Doubles c = (1.0 / 40320 + r * (1.0 / 362880)) + r2 * (1.0 / 3628800 + r * (1.0 / 39916800));
  const Doubles series = a + r4 * (b + r4 * c);
  const Longs bits = (reinterpret_cast<Longs>(rounded) + 1023) << 52;
  const Doubles result = series * reinterpret_cast<Doubles>(bits);
  return vanishes ? Doubles{} : result;
}

/// log x within a few units of the last place, for a positive x that is not subnormal; NaN for NaN and infinity.
inline Doubles logarithm(Doubles x) {
  const Longs bits = reinterpret_cast<Longs>(x);
  const Longs mantissa = (bits & 0xfffffffffffff) | 0x3ff0000000000000;
  Doubles m = reinterpret_cast<Doubles>(mantissa);
  // The exponent as a double: in the lowest bits of kRounder.
  const Longs shifted = ((bits >> 52) & 0x7ff) + 0x4338000000000000;
  Doubles exponent = reinterpret_cast<Doubles>(shifted) - (kRounder + 1023);
  const auto upper = m > splat_double(0x1.6a09e667f3bcdp+0);
  m = upper ? m * 0.5 : m;
  exponent = upper ? exponent + 1.0 : exponent;
  const Doubles s = (m - 1.0) / (m + 1.0);
  const Doubles z = s * s;
  Doubles series = splat_double(1.0 / 19);
  for (int odd = 17; odd >= 1; odd -= 2) series = series * z + 1.0 / odd;
  return exponent * kLog2 + 2.0 * s * series + (x - x);
}

}  // namespace
}  // namespace us::cpu::US_ISA
