#pragma once

#include <memory>

#include "ort/failure.hpp"

namespace us::ort {

template <typename T>
struct Release {
  void (*release)(T*);
  void operator()(T* object) const { release(object); }
};

/// An object of ONNX Runtime's that is released on every path.
template <typename T>
using Owned = std::unique_ptr<T, Release<T>>;

/// Calls create(..., &object) and owns what it gives; throws Failure.
///   make(api, api.ReleaseRunOptions, api.CreateRunOptions)
template <typename T, typename... Parameters, typename... Values>
Owned<T> make(const Api& api, void (*release)(T*), Status* (*create)(Parameters...), Values... values) {
  T* object = nullptr;
  check(api, create(values..., &object));
  return Owned<T>(object, Release<T>{release});
}

/// Text that ONNX Runtime gave in its default allocator's memory, copied; throws Failure.
template <typename... Parameters, typename... Values>
std::string take_text(const Api& api, Status* (*give)(Parameters...), Values... values) {
  Allocator* allocator = nullptr;
  check(api, api.GetAllocatorWithDefaultOptions(&allocator));
  char* text = nullptr;
  check(api, give(values..., allocator, &text));
  std::string copy;
  try {
    copy = text;
  } catch (...) {
    check(api, api.AllocatorFree(allocator, text));
    throw;
  }
  check(api, api.AllocatorFree(allocator, text));
  return copy;
}

}  // namespace us::ort
