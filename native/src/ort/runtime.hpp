#pragma once

#include <memory>
#include <string>

#include "ort/buffer_pool.hpp"
#include "ort/environment.hpp"
#include "ort/library.hpp"

namespace us::ort {

/// What all sessions of a library share: its environment, our operators, and the memory of results.
class Runtime {
 public:
  /// The domain of our operators.
  static constexpr const char* kDomain = "unitscope";

  /// `threads` is what one run uses. Throws Failure.
  Runtime(const std::string& library, int threads);

  const Api& api() const { return library_.api(); }
  const Environment& environment() const { return environment_; }
  int threads() const { return threads_; }
  CustomOpDomain* domain() const { return domain_.get(); }
  const MemoryInfo* memory() const { return memory_.get(); }
  BufferPool& pool() const { return *pool_; }

 private:
  Library library_;
  int threads_;
  Environment environment_;
  Owned<CustomOpDomain> domain_;
  Owned<MemoryInfo> memory_;
  std::shared_ptr<BufferPool> pool_;
};

}  // namespace us::ort
