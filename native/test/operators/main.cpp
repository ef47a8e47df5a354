#include <cstdio>
#include <cstring>
#include <exception>

#include "operators/suites.hpp"

/// onnxruntime_operators compute
/// onnxruntime_operators graphs ONNXRUNTIME OPERATORS   the libraries
/// 0 if everything passed, 77 if it cannot be run here.
int main(int count, char** arguments) {
  constexpr int kSkipped = 77;
  const bool in_graphs = count == 4 && std::strcmp(arguments[1], "graphs") == 0;
  if (!in_graphs && (count != 2 || std::strcmp(arguments[1], "compute") != 0)) {
    std::printf("use: onnxruntime_operators compute, or onnxruntime_operators graphs ONNXRUNTIME OPERATORS\n");
    return 2;
  }
  if (us_backend_available(US_BACKEND_CPU) != US_OK) {
    std::printf("SKIPPED: %s\n", us_last_error_message());
    return kSkipped;
  }
  if (in_graphs) {
    std::FILE* const library = std::fopen(arguments[2], "rb");
    if (library == nullptr) {
      std::printf("SKIPPED: there is no ONNX Runtime at %s\n", arguments[2]);
      return kSkipped;
    }
    std::fclose(library);
  }
  Report report;
  try {
    if (in_graphs) {
      test_in_graphs(report, arguments[2], arguments[3]);
    } else {
      test_compute(report);
    }
  } catch (const std::exception& error) {
    report.check(false, "%s", error.what());
  }
  std::printf("%s: %d checks, %d failures\n", us_backend_device(US_BACKEND_CPU), report.checks(), report.failures());
  return report.failures() == 0 ? 0 : 1;
}
