#pragma once

/// What the counting library (counting.cpp) exports beside ONNX Runtime's own entry.
struct Counting {
  /// Objects, texts and statuses that were given out and not taken back.
  int (*live)();
  /// Calls since the last fail_at() that could have failed.
  int (*calls)();
  /// The call of that number fails, the first being 1; 0: none.
  void (*fail_at)(int call);
};
