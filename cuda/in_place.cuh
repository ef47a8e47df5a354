#pragma once

#include <cstdint>

#include "device.cuh"

namespace us::cuda {
namespace {

/// The arrays of an update: one that is read and several that are updated.
template <int UPDATED>
struct InPlace {
  std::int64_t count;
  const float* gradient;
  float* updated[UPDATED];
};

/// Calls `update(gradient, state)` for every parameter: four neighbours at a time where the arrays are aligned to that.
template <typename Update>
__global__ void update_kernel(Update update, InPlace<Update::kUpdated> arrays, bool quads) {
  constexpr int kUpdated = Update::kUpdated;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const std::int64_t whole = quads ? arrays.count / kElements : 0;
  for (std::int64_t i = thread; i < whole; i += stride) {
    const float4 gradient = __ldg(reinterpret_cast<const float4*>(arrays.gradient) + i);
    float4 four[kUpdated];
    for (int k = 0; k < kUpdated; ++k) four[k] = reinterpret_cast<const float4*>(arrays.updated[k])[i];
    const auto each = [&](float g, float float4::*element) {
      float state[kUpdated];
      for (int k = 0; k < kUpdated; ++k) state[k] = four[k].*element;
      update(g, state);
      for (int k = 0; k < kUpdated; ++k) four[k].*element = state[k];
    };
    each(gradient.x, &float4::x);
    each(gradient.y, &float4::y);
    each(gradient.z, &float4::z);
    each(gradient.w, &float4::w);
    for (int k = 0; k < kUpdated; ++k) reinterpret_cast<float4*>(arrays.updated[k])[i] = four[k];
  }
  for (std::int64_t i = whole * kElements + thread; i < arrays.count; i += stride) {
    float state[kUpdated];
    for (int k = 0; k < kUpdated; ++k) state[k] = arrays.updated[k][i];
    update(__ldg(arrays.gradient + i), state);
    for (int k = 0; k < kUpdated; ++k) arrays.updated[k][i] = state[k];
  }
}

template <typename Update>
void update_in_place(const us_execution* execution, const Update& update,
                     const InPlace<Update::kUpdated>& arrays) {
  if (arrays.count == 0) return;
  bool quads = is_aligned(arrays.gradient, 16);
  for (const float* each : arrays.updated) quads = quads && is_aligned(each, 16);
  const std::int64_t items = quads ? (arrays.count + kElements - 1) / kElements : arrays.count;
  launch(update_kernel<Update>, block_count(items), kThreads, 0, stream_of(execution), update, arrays, quads);
}

}  // namespace
}  // namespace us::cuda
