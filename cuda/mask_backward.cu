#include "unitscope/mask_backward.h"

#include "kernels.cuh"
#include "template_mask.cuh"

namespace us::cuda {
namespace {

template <bool WITH_X>
__device__ float passed_back(float signal, float value, float height) {
  const float gate = WITH_X ? value * height : height;
  return gate <= 0.0F ? 0.0F : signal * height;
}

/// A warp, or a block, makes one map.
template <int GROUP, bool WITH_X>
__global__ void mask_backward_kernel(Masking masking, const float* __restrict__ dy, const float* __restrict__ x,
                                     const float* __restrict__ beta, const std::int32_t* __restrict__ mu,
                                     float* __restrict__ dx, bool quads) {
  const int thread = static_cast<int>(threadIdx.x) % GROUP;
  const std::int64_t groups = static_cast<std::int64_t>(gridDim.x) * (kThreads / GROUP);
  std::int64_t map = static_cast<std::int64_t>(blockIdx.x) * (kThreads / GROUP) + threadIdx.x / GROUP;
  for (; map < masking.maps; map += groups) {
    const std::int64_t start = map * masking.plane;
    const int cell_of_part = __ldg(mu + map);
    if (cell_of_part < 0 || cell_of_part >= masking.plane) {
      for (int cell = thread; cell < masking.plane; cell += GROUP) dx[start + cell] = 0.0F;
      continue;
    }
    const Walk part(masking, cell_of_part);
    const float slope = __ldg(beta + map % masking.channels);
    if (quads) {
      for (int cell = thread * kElements; cell < masking.plane; cell += GROUP * kElements) {
        const float4 signal = __ldg(reinterpret_cast<const float4*>(dy + start + cell));
        const float4 value = WITH_X ? __ldg(reinterpret_cast<const float4*>(x + start + cell)) : signal;
        const float signals[kElements] = {signal.x, signal.y, signal.z, signal.w};
        const float values[kElements] = {value.x, value.y, value.z, value.w};
        float results[kElements];
        Walk walk(masking, cell);
#pragma unroll
        for (int i = 0; i < kElements; ++i) {
          results[i] = passed_back<WITH_X>(signals[i], values[i], template_at(masking, slope, walk.distance(part)));
          walk.step(masking);
        }
        *reinterpret_cast<float4*>(dx + start + cell) = make_float4(results[0], results[1], results[2], results[3]);
      }
    } else {
      for (int cell = thread; cell < masking.plane; cell += GROUP) {
        const float signal = __ldg(dy + start + cell);
        const float value = WITH_X ? __ldg(x + start + cell) : signal;
        const float height = template_at(masking, slope, Walk(masking, cell).distance(part));
        dx[start + cell] = passed_back<WITH_X>(signal, value, height);
      }
    }
  }
}

}  // namespace

us_status mask_backward(const us_execution* execution, const us_mask_params* params, const float* dy, const float* x,
                        const float* beta, const int32_t* mu, float* dx) {
  const Masking masking = masking_of(*params);
  if (masking.maps == 0) return US_OK;
  constexpr int kWarp = 32;
  const bool quads = in_quads(masking, dy, x, dx);
  const bool small = masking.plane <= kWarpCells;
  const unsigned blocks = block_count(masking.maps * (small ? kWarp : kThreads));
  const auto queue = [&](auto kernel) {
    launch(kernel, blocks, kThreads, 0, stream_of(execution), masking, dy, x, beta, mu, dx, quads);
  };
  if (small) {
    queue(x == nullptr ? mask_backward_kernel<kWarp, false> : mask_backward_kernel<kWarp, true>);
  } else {
    queue(x == nullptr ? mask_backward_kernel<kThreads, false> : mask_backward_kernel<kThreads, true>);
  }
  return launched("mask_backward");
}

}  // namespace us::cuda
