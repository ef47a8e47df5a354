#pragma once

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "cpu/scratch.hpp"

namespace us::cpu::US_ISA {
namespace {

/// Runs `Worker` over `rows` rows of `cost` elements each. Every task gets a worker of its own:
///   Worker(const Call&); void layout(Arena&); us_status run(std::int64_t begin, std::int64_t end);
/// Scratch memory is taken before the tasks start, so that a task cannot run out of it.
template <typename Worker, typename Call>
us_status run_rows(const us_execution& execution, std::int64_t rows, std::int64_t cost, const Call& call) {
  if (rows == 0) return US_OK;
  const int tasks = task_count(execution.threads, rows, cost);
  Arena measured(nullptr);
  Worker(call).layout(measured);
  const std::int64_t stride = measured.used();
  void* const block = __builtin_malloc(static_cast<std::size_t>(stride * tasks + kCacheLine));
  if (block == nullptr) {
    return fail(US_OUT_OF_MEMORY, "%lld bytes of scratch memory cannot be allocated", (long long)(stride * tasks));
  }
  const auto unaligned = reinterpret_cast<std::uintptr_t>(block);
  struct Context {
    const Call* call;
    char* base;
    std::int64_t stride;
  } context{&call, static_cast<char*>(block) + (kCacheLine - unaligned % kCacheLine), stride};
  const us_status status = run_tasks(
      tasks, rows,
      [](void* opaque, TaskRange range) {
        const auto& shared = *static_cast<const Context*>(opaque);
        Arena arena(shared.base + shared.stride * range.task);
        Worker worker(*shared.call);
        worker.layout(arena);
        return worker.run(range.begin, range.end);
      },
      &context);
  __builtin_free(block);
  return status;
}

}  // namespace
}  // namespace us::cpu::US_ISA
