#include <fstream>

#include "onnxruntime/tests.hpp"

using namespace us::ort;

std::shared_ptr<LoadedSession> load(const SharedRuntime& runtime, const std::string& model,
                                    const LoadOptions& options) {
  return std::make_shared<LoadedSession>(runtime, model.data(), model.size(), options);
}

std::vector<Result> run(const std::shared_ptr<LoadedSession>& session, const std::vector<Given>& given) {
  std::vector<Feed> feeds;
  for (std::size_t i = 0; i < given.size(); ++i) {
    feeds.push_back({i, given[i].values.data(), given[i].values.size() * sizeof(float), given[i].dims});
  }
  std::vector<std::size_t> outputs;
  for (std::size_t i = 0; i < session->outputs().size(); ++i) outputs.push_back(i);
  return Run(session, feeds, outputs).execute();
}

std::string failure_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "";
}

/// onnxruntime_binding LIBRARY STUB OTHER COUNTING: 0 if everything passed, 77 if the library is not there.
int main(int count, char** arguments) {
  constexpr int kSkipped = 77;
  if (count != 5) {
    std::printf("use: onnxruntime_binding LIBRARY STUB OTHER COUNTING\n");
    return 2;
  }
  const Paths paths{arguments[1], arguments[2], arguments[3], arguments[4]};
  if (!std::ifstream(paths.library)) {
    std::printf("skipped: there is no ONNX Runtime at %s\n", paths.library.c_str());
    return kSkipped;
  }
  Report report;
  test_library(report, paths);
  test_members(report, paths.library);
  test_runs(report, std::make_shared<const Runtime>(paths.library, 2));
  test_termination(report, paths.library);
  test_shared_state(report, paths.library);
  test_balance(report, paths);
  std::printf("%d checks, %d failures\n", report.checks(), report.failures());
  return report.failures() == 0 ? 0 : 1;
}
