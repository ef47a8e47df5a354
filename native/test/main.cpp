#include <cstring>

#include "harness.hpp"

/// conformance BACKEND: 0 if everything passed, 77 if the back end cannot be used here.
int main(int count, char** arguments) {
  constexpr int kSkipped = 77;
  if (count != 2) {
    std::printf("use: conformance cpu|cuda\n");
    return 2;
  }
  int backend = 0;
  while (backend < US_BACKEND_COUNT && std::strcmp(us_backend_name(static_cast<us_backend>(backend)), arguments[1]) != 0) {
    ++backend;
  }
  const auto chosen = static_cast<us_backend>(backend);
  if (us_backend_available(chosen) != US_OK) {
    std::printf("SKIPPED %s: %s\n", arguments[1], us_last_error_message());
    return backend == US_BACKEND_COUNT ? 2 : kSkipped;
  }
  std::printf("%s: %s\n", arguments[1], us_backend_device(chosen));
  Report report;
  if (chosen == US_BACKEND_CPU) test_interface(report);
  test_pooling(report, chosen);
  test_template_mask(report, chosen);
  test_mutual_information(report, chosen);
  test_iou_counts(report, chosen);
  test_top_quantile(report, chosen);
  test_maps(report, chosen);
  test_products(report, chosen);
  test_graph_em_step(report, chosen);
  test_optimizers(report, chosen);
  test_lasso(report, chosen);
  std::printf("%d checks, %d failures\n", report.checks(), report.failures());
  return report.failures() == 0 ? 0 : 1;
}
