#pragma once

#include <cstdint>

#include "unitscope/status.h"

namespace us {

/// How many pieces `items` pieces of work of `cost` elements each are best cut into.
int task_count(std::int32_t threads, std::int64_t items, std::int64_t cost);

/// One task of several: its number and its half-open range of the items.
struct TaskRange {
  int task;
  std::int64_t begin;
  std::int64_t end;
};

using TaskFunction = us_status (*)(void* context, TaskRange range);

/// Cuts items 0 to `items` into `tasks` equal ranges and runs them on the calling thread and on `tasks` - 1 pooled ones.
/// Returns when all are done; the status and message are those of the first range that failed. The pool's threads are
/// started when first needed and reused.
us_status run_tasks(int tasks, std::int64_t items, TaskFunction function, void* context);

}  // namespace us
