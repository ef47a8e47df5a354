#pragma once

#include "core/thread_pool.hpp"
#include "cpu/simd.hpp"

namespace us::cpu::US_ISA {
namespace {

/// Arrays that an update of `Update::kUpdated` arrays runs over.
template <typename Update>
struct InPlace {
  Update update;
  std::int64_t count;
  const float* gradient;
  float* updated[Update::kUpdated];

  void run(TaskRange range) const {
    const std::int64_t end = range.end * kLanes < count ? range.end * kLanes : count;
    std::int64_t at = range.begin * kLanes;
    Floats state[Update::kUpdated];
    for (; at + kLanes <= end; at += kLanes) {
      for (int i = 0; i < Update::kUpdated; ++i) state[i] = load(updated[i] + at);
      update(load(gradient + at), state);
      for (int i = 0; i < Update::kUpdated; ++i) store(updated[i] + at, state[i]);
    }
    if (at == end) return;
    // Less than a vector is left: the same code, through a copy.
    const auto bytes = static_cast<std::size_t>(end - at) * sizeof(float);
    Floats rest{};
    __builtin_memcpy(&rest, gradient + at, bytes);
    for (int i = 0; i < Update::kUpdated; ++i) {
      state[i] = Floats{};
      __builtin_memcpy(&state[i], updated[i] + at, bytes);
    }
    update(rest, state);
    for (int i = 0; i < Update::kUpdated; ++i) __builtin_memcpy(updated[i] + at, &state[i], bytes);
  }
};

/// Calls `update(gradient, state)` on every vector of the arrays: it reads one of the gradient and changes those of the
/// arrays in `state`.
template <typename Update>
us_status update_in_place(const us_execution& execution, InPlace<Update> arrays) {
  if (arrays.count == 0) return US_OK;
  const std::int64_t vectors = (arrays.count + kLanes - 1) / kLanes;
  return run_tasks(
      task_count(execution.threads, vectors, kLanes), vectors,
      [](void* opaque, TaskRange range) {
        static_cast<const InPlace<Update>*>(opaque)->run(range);
        return US_OK;
      },
      &arrays);
}

}  // namespace
}  // namespace us::cpu::US_ISA
