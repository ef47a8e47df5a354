#include <cstdlib>
#include <filesystem>

#include <dlfcn.h>
#include <unistd.h>

#include "onnxruntime/counting.hpp"
#include "onnxruntime/tests.hpp"
#include "ort/self_check.hpp"

using namespace us::ort;

// Every object that ONNX Runtime gives out is taken back, whichever of its calls fails.

namespace {

template <typename Function>
Function* find(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

SharedRuntime open(const std::string& library) {
  auto runtime = std::make_shared<const Runtime>(library, 2);
  check_values(runtime);
  return runtime;
}

void use_session(const SharedRuntime& runtime, const std::string& folder) {
  const std::string model = ModelWriter()
                                .input("x", {4})
                                .external_weight("w", {4}, "w.bin")
                                .node({"Mul", {"x", "w"}, {"y"}})
                                .node({"NonZero", {"y"}, {"z"}})
                                .output("y", {4})
                                .output_of("z", kInt64, {1, -1})
                                .bytes();
  const std::vector<float> weights{1, 2, 3, 4};
  LoadOptions options;
  options.files.push_back({"w.bin", weights.data(), sizeof(float) * weights.size()});
  options.profile = folder + "/profile";
  const auto session = load(runtime, model, options);
  // The second run writes where results were expected, the third finds others there.
  for (const float x : {1.0F, 1.0F, 0.0F}) run(session, {{{4}, {x, 1, 1, 1}}});
  session->end_profile();
}

/// Fails each call of `use` in turn.
void fail_each(Report& report, const Counting& counting, const char* what, const std::function<void()>& use) {
  counting.fail_at(0);
  const int before = counting.live();
  use();
  report.check(counting.live() == before, "%s: %d objects are left", what, counting.live() - before);
  const int calls = counting.calls();
  int failed = 0;
  for (int call = 1; call <= calls; ++call) {
    counting.fail_at(call);
    const std::string failure = failure_of(use);
    report.check(counting.live() == before, "%s: %d objects are left where call %d fails", what,
                 counting.live() - before, call);
    report.check(failure.empty() || failure.find("injected") != std::string::npos, "%s: call %d: %s", what, call,
                 failure.c_str());
    failed += !failure.empty();
  }
  counting.fail_at(0);
  // The rest are probes, whose failure is an answer, and runs that are done again another way.
  report.check(failed > 20 && failed > calls / 4, "%s: %d of %d failures were reported", what, failed, calls);
}

}  // namespace

void test_balance(Report& report, const Paths& paths) {
  setenv("US_COUNTED_LIBRARY", paths.library.c_str(), 1);
  void* const library = dlopen(paths.counting.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!report.check(library != nullptr, "%s cannot be opened", paths.counting.c_str())) return;
  const Counting counting{find<int()>(library, "counting_live"), find<int()>(library, "counting_calls"),
                          find<void(int)>(library, "counting_fail_at")};
  fail_each(report, counting, "opening", [&] { open(paths.counting); });
  auto runtime = open(paths.counting);
  // Profiles of sessions that failed stay behind.
  const auto folder = std::filesystem::temp_directory_path() / ("unitscope-balance-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  fail_each(report, counting, "a session", [&] { use_session(runtime, folder.string()); });
  std::filesystem::remove_all(folder);
  fail_each(report, counting, "the block", [&] { static_cast<void>(find_block(runtime, {8, 16})); });
  runtime.reset();
  report.check(counting.live() == 0, "%d objects are left in the end", counting.live());
}
