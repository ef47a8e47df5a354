#pragma once

#include <string>

#include "ort/api.hpp"

namespace us::ort {

/// ONNX Runtime's shared library, opened by its path. Opened twice, or after another package has opened it, it is the
/// same library. It is never closed again: its threads and its static objects would outlive their code.
class Library {
 public:
  /// Throws Failure if the file is not there, is not a library, is cut short, or is not exactly version kVersion.
  explicit Library(const std::string& path);

  const Api& api() const { return *api_; }

 private:
  const Api* api_ = nullptr;
};

}  // namespace us::ort
