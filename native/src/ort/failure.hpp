#pragma once

#include <stdexcept>
#include <string>

#include "ort/api.hpp"

namespace us::ort {

/// What ONNX Runtime or the binding to it could not do, in one sentence for a person.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& message, ErrorCode code = kFail) : std::runtime_error(message), code_(code) {}

  /// ONNX Runtime's own code; kFail where it was not ONNX Runtime that failed.
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// Releases the status and throws Failure unless it says that all is well.
inline void check(const Api& api, Status* status) {
  if (status == nullptr) return;
  const ErrorCode code = api.GetErrorCode(status);
  const std::string message = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  throw Failure(message, code);
}

}  // namespace us::ort
