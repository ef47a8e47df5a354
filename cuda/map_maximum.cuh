#pragma once

#include <cmath>

#include "device.cuh"

namespace us::cuda {
namespace {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

/// A value and its cell's place in the order that decides ties. NaN is larger than every number; among equals the first
/// place wins, so that the order in which candidates meet does not matter.
struct Candidate {
  float value;
  int place;
};

__device__ Candidate better(Candidate a, Candidate b) {
  const bool a_is_nan = a.value != a.value;
  const bool b_is_nan = b.value != b.value;
  const bool equal = a.value == b.value || (a_is_nan && b_is_nan);
  const bool b_wins = equal ? b.place < a.place : b_is_nan || (!a_is_nan && b.value > a.value);
  return b_wins ? b : a;
}

__device__ Candidate best_of_warp(Candidate mine) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const Candidate other{__shfl_xor_sync(kAllLanes, mine.value, offset), __shfl_xor_sync(kAllLanes, mine.place, offset)};
    mine = better(mine, other);
  }
  return mine;
}

/// The best of GROUP threads, known to all of them.
template <int GROUP>
__device__ Candidate best_of_group(Candidate best, int thread) {
  best = best_of_warp(best);
  if (GROUP == kWarp) return best;
  __shared__ Candidate of_warps[kThreads / kWarp];
  if (thread % kWarp == 0) of_warps[thread / kWarp] = best;
  __syncthreads();
  for (int warp = 0; warp < kThreads / kWarp; ++warp) best = better(best, of_warps[warp]);
  __syncthreads();
  return best;
}

/// The largest of a map's cells, known to all GROUP threads that ask: `place_of` says where a cell stands among ties.
/// `quads` says that the map starts on a 16-byte boundary and has a whole number of them.
template <int GROUP, typename PlaceOf>
__device__ Candidate find_maximum(const float* __restrict__ x, int cells, int thread, bool quads, PlaceOf place_of) {
  // A thread without cells offers none that could win: -infinity behind all others.
  Candidate best{-INFINITY, 0x7fffffff};
  if (quads) {
    for (std::int64_t cell = thread * kElements; cell < cells; cell += GROUP * kElements) {
      const int first = static_cast<int>(cell);
      const float4 four = __ldg(reinterpret_cast<const float4*>(x + cell));
      best = better(best, {four.x, place_of(first)});
      best = better(best, {four.y, place_of(first + 1)});
      best = better(best, {four.z, place_of(first + 2)});
      best = better(best, {four.w, place_of(first + 3)});
    }
  } else {
    for (std::int64_t cell = thread; cell < cells; cell += GROUP) {
      best = better(best, {__ldg(x + cell), place_of(static_cast<int>(cell))});
    }
  }
  return best_of_group<GROUP>(best, thread);
}

}  // namespace
}  // namespace us::cuda
