#pragma once

#include <cstddef>

namespace us::emulation {

/// A stack of its own and the place on it where work stopped. Fibers run on one thread of the system, one at a time.
class Fiber {
 public:
  /// `body` must never return.
  explicit Fiber(void (*body)());
  /// The stack that is running already.
  Fiber() = default;
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Stops the running fiber `from` and goes on with this one; returns when something switches back to `from`.
  void switch_from(Fiber& from);

 private:
  static void enter();
  void arrived();

  void (*body_)() = nullptr;
  void* mapping_ = nullptr;
  const void* bottom_ = nullptr;
  std::size_t size_ = 0;
  void* stack_pointer_ = nullptr;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
};

}  // namespace us::emulation
