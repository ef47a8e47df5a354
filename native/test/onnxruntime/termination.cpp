#include <condition_variable>
#include <mutex>
#include <thread>

#include "onnxruntime/tests.hpp"

using namespace us::ort;

namespace {

/// What runs through it waits until it is opened.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_open = true;
  int arrived = 0;

  void pass() {
    std::unique_lock lock(mutex);
    ++arrived;
    changed.notify_all();
    changed.wait(lock, [this] { return is_open; });
  }

  void close() {
    const std::lock_guard lock(mutex);
    is_open = false;
    arrived = 0;
  }

  void wait_for_arrival() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return arrived > 0; });
  }

  void open() {
    const std::lock_guard lock(mutex);
    is_open = true;
    changed.notify_all();
  }
};

Gate gate;
const Api* api_of_kernels = nullptr;

/// y = 0 of one element, whatever x is, when the gate opens.
CustomOp make_gate() {
  CustomOp op{};
  op.version = kApiVersion;
  op.GetName = [](const CustomOp*) { return "Gate"; };
  op.GetExecutionProviderType = [](const CustomOp*) -> const char* { return nullptr; };
  op.GetInputType = [](const CustomOp*, std::size_t) { return kFloat; };
  op.GetInputTypeCount = [](const CustomOp*) -> std::size_t { return 1; };
  op.GetOutputType = [](const CustomOp*, std::size_t) { return kFloat; };
  op.GetOutputTypeCount = [](const CustomOp*) -> std::size_t { return 1; };
  op.KernelDestroy = [](void*) {};
  op.GetInputCharacteristic = [](const CustomOp*, std::size_t) { return kRequired; };
  op.GetOutputCharacteristic = [](const CustomOp*, std::size_t) { return kRequired; };
  op.GetInputMemoryType = [](const CustomOp*, std::size_t) { return kMemoryDefault; };
  op.CreateKernelV2 = [](const CustomOp*, const Api*, const KernelInfo*, void** kernel) -> Status* {
    *kernel = &gate;
    return nullptr;
  };
  op.KernelComputeV2 = [](void*, KernelContext* context) -> Status* {
    gate.pass();
    const std::int64_t size = 1;
    Value* y = nullptr;
    Status* const status = api_of_kernels->KernelContext_GetOutput(context, 0, &size, 1, &y);
    if (status != nullptr) return status;
    void* data = nullptr;
    Status* const found = api_of_kernels->GetTensorMutableData(y, &data);
    if (found == nullptr) *static_cast<float*>(data) = 0;
    return found;
  };
  op.GetStartVersion = [](const CustomOp*) { return 1; };
  op.GetEndVersion = [](const CustomOp*) { return 1; };
  return op;
}

}  // namespace

void test_termination(Report& report, const std::string& library) {
  const auto runtime = std::make_shared<const Runtime>(library, 2);
  api_of_kernels = &runtime->api();
  const CustomOp op = make_gate();
  check(runtime->api(), runtime->api().CustomOpDomain_Add(runtime->domain(), &op));
  const auto session = load(runtime, ModelWriter({Runtime::kDomain})
                                         .input("x", {1})
                                         .node({"Gate", {"x"}, {"y"}, Runtime::kDomain})
                                         .node({"Gate", {"y"}, {"z"}, Runtime::kDomain})
                                         .output("z", {1})
                                         .bytes());
  const float x = 1;
  const std::vector<Feed> feeds{{0, &x, sizeof x, {1}}};
  // The first run copies its results, the second writes where they were expected: both must end.
  for (int times = 0; times < 2; ++times) {
    Run before(session, feeds, {0});
    before.terminate();
    report.check(!failure_of([&] { before.execute(); }).empty(), "a run that was ended before it began");

    gate.close();
    Run under_way(session, feeds, {0});
    std::string failure;
    std::thread runner([&] { failure = failure_of([&] { under_way.execute(); }); });
    gate.wait_for_arrival();
    under_way.terminate();
    gate.open();
    runner.join();
    report.check(!failure.empty() && under_way.is_terminated(), "a run that was ended at its first node");
    report.check(gate.arrived == 1, "%d nodes of the ended run", gate.arrived);
    report.check(values_of<float>(run(session, {{{1}, {1}}})[0]) == std::vector<float>{0}, "a run after that");
  }
}
