#include "unitscope/top_quantile.h"

#include "device.cuh"
#include "kernels.cuh"

namespace us::cuda {
namespace {

constexpr int kWarps = kThreads / 32;
constexpr int kBuckets = 256;

/// A number that orders as the float does.
__device__ unsigned key_of(float value) {
  const unsigned bits = __float_as_uint(value);
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000U;
}

__device__ float value_of(unsigned key) { return __uint_as_float(key >> 31 != 0 ? key & 0x7fffffffU : ~key); }

/// What the block of one unit works with.
struct Block {
  int counts[kWarps];
  int histogram[kBuckets];
  int rank;
  unsigned digit;
};

/// How many of the threads before this one hold a flag; `total` becomes that of the whole block. Prefix sums instead of
/// atomics, so that the order of a buffer is always the same.
__device__ int rank_in_block(bool flag, Block& block, int& total) {
  const unsigned votes = __ballot_sync(0xffffffffU, flag);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (lane == 0) block.counts[warp] = __popc(votes);
  __syncthreads();
  int before = __popc(votes & ((1U << lane) - 1));
  total = 0;
  for (int i = 0; i < kWarps; ++i) {
    if (i < warp) before += block.counts[i];
    total += block.counts[i];
  }
  __syncthreads();
  return before;
}

/// Keeps the `keep` largest values of a buffer and returns the smallest of them, found digit by digit of its key.
__device__ float select(float* kept, int filled, int keep, Block& block) {
  unsigned prefix = 0;
  unsigned known = 0;
  if (threadIdx.x == 0) block.rank = keep;
  for (int shift = 24; shift >= 0; shift -= 8) {
    block.histogram[threadIdx.x] = 0;
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < filled; i += kThreads) {
      const unsigned key = key_of(kept[i]);
      if (((key ^ prefix) & known) == 0) atomicAdd(block.histogram + ((key >> shift) & 255U), 1);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      unsigned digit = 255;
      while (block.rank > block.histogram[digit]) block.rank -= block.histogram[digit--];
      block.digit = digit;
    }
    __syncthreads();
    prefix |= block.digit << shift;
    known |= 255U << shift;
  }
  int ties_left = block.rank;  // of the values equal to the cut-off, so many stay
  int count = 0;
  for (int start = 0; start < filled; start += kThreads) {
    const int i = start + static_cast<int>(threadIdx.x);
    const float value = i < filled ? kept[i] : 0;
    const unsigned key = key_of(value);
    int ties = 0;
    const int tie = rank_in_block(i < filled && key == prefix, block, ties);
    const bool stays = i < filled && (key > prefix || (key == prefix && tie < ties_left));
    int staying = 0;
    const int at = rank_in_block(stays, block, staying);
    // All of this tile has been read, and what stays never moves up.
    if (stays) kept[count + at] = value;
    count += staying;
    ties_left -= ties < ties_left ? ties : ties_left;
    __syncthreads();
  }
  return value_of(prefix);
}

/// One block for each unit; a tile of values at a time is compared with the cut-off.
__global__ void top_quantile_kernel(us_top_quantile_params params, const float* __restrict__ values, float* kept,
                                    std::int32_t* filled, float* cutoff, bool aligned) {
  static_assert(kBuckets == kThreads, "every thread clears one bucket");
  __shared__ Block block;
  const std::int64_t unit = blockIdx.x;
  float* const buffer = kept + unit * params.capacity;
  int count = filled[unit];
  float limit = cutoff[unit];
  for (std::int64_t image = 0; image < params.images; ++image) {
    const float* const map = values + (image * params.units + unit) * params.cells;
    constexpr int kTile = kThreads * kElements;
    for (std::int64_t start = 0; start < params.cells; start += kTile) {
      const std::int64_t index = start + static_cast<std::int64_t>(threadIdx.x) * kElements;
      float own[kElements];
      if (aligned && index + kElements <= params.cells) {
        const float4 four = __ldg(reinterpret_cast<const float4*>(map + index));
        own[0] = four.x, own[1] = four.y, own[2] = four.z, own[3] = four.w;
      } else {
        for (int i = 0; i < kElements; ++i) own[i] = index + i < params.cells ? __ldg(map + index + i) : limit;
      }
      bool any = false;
      for (int i = 0; i < kElements; ++i) any = any || own[i] > limit;
      if (!__syncthreads_or(any)) continue;
      for (int i = 0; i < kElements; ++i) {
        bool taken = false;
        while (true) {
          int added = 0;
          const bool wants = !taken && own[i] > limit;
          const int at = rank_in_block(wants, block, added);
          const int room = params.capacity - count;
          if (wants && at < room) {
            buffer[count + at] = own[i];
            taken = true;
          }
          __syncthreads();
          count += added < room ? added : room;
          if (added <= room) break;
          limit = select(buffer, count, params.keep, block);
          count = params.keep;
        }
      }
    }
  }
  if (threadIdx.x == 0) {
    filled[unit] = count;
    cutoff[unit] = limit;
  }
}

}  // namespace

us_status top_quantile(const us_execution* execution, const us_top_quantile_params* params, const float* values,
                       float* kept, int32_t* filled, float* cutoff) {
  if (params->units == 0 || params->images == 0 || params->cells == 0) return US_OK;
  const bool aligned = is_aligned(values, 16) && params->cells % kElements == 0;
  launch(top_quantile_kernel, static_cast<unsigned>(params->units), kThreads, 0, stream_of(execution), *params,
         values, kept, filled, cutoff, aligned);
  return launched("top_quantile");
}

}  // namespace us::cuda
