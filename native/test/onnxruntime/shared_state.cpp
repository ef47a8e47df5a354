#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "onnxruntime/tests.hpp"
#include "ort/work_queue.hpp"

using namespace us::ort;

namespace {

void test_pool(Report& report) {
  constexpr std::size_t kLimit = 1 << 20;
  const auto pool = std::make_shared<BufferPool>(kLimit);
  void* first = nullptr;
  {
    const Buffer buffer = pool->take(100000);
    first = buffer.data();
    report.check(reinterpret_cast<std::uintptr_t>(first) % 64 == 0, "a buffer on a cache line");
  }
  report.check(pool->kept() == 100000, "a buffer that has come back");
  {
    const Buffer smaller = pool->take(90000);
    report.check(smaller.data() == first && pool->kept() == 0, "a buffer that is used again");
    const Buffer other = pool->take(90000);
    report.check(other.data() != first, "a second buffer while the first is in use");
  }
  report.check(pool->take(10000).data() != first, "a buffer of ten times the size is kept for better use");
  {
    std::vector<Buffer> many;
    many.reserve(40);
    for (int i = 0; i < 40; ++i) many.push_back(pool->take(100000));
  }
  report.check(pool->kept() <= kLimit && pool->kept() > kLimit / 2, "%zu bytes are kept", pool->kept());
  pool->take(2 * kLimit);
  report.check(pool->kept() <= kLimit, "a buffer beyond the limit");
}

void test_queue(Report& report) {
  WorkQueue& queue = WorkQueue::runs();
  std::mutex mutex;
  std::condition_variable changed;
  bool begun = false;
  bool open = false;
  bool ended = false;
  std::vector<int> order;
  const int ours = 0;
  const int theirs = 0;
  queue.post(&ours, [&] {
    std::unique_lock first(mutex);
    begun = true;
    changed.notify_all();
    changed.wait(first, [&] { return open; });
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return begun; });
  lock.unlock();
  for (int i = 0; i < 6; ++i) queue.post(i % 2 == 0 ? &ours : &theirs, [&order, i] { order.push_back(i); });
  report.check(queue.discard(&ours) == 3, "work that is dropped");
  queue.post(&theirs, [&] {
    const std::lock_guard last(mutex);
    ended = true;
    changed.notify_all();
  });
  lock.lock();
  open = true;
  changed.notify_all();
  changed.wait(lock, [&] { return ended; });
  report.check(order == std::vector<int>{1, 3, 5}, "work in its order");
}

/// Sessions of one runtime in several threads, and runtimes that come and go.
void test_threads(Report& report, const std::string& library) {
  const std::string model =
      ModelWriter().input("x", {64, 64}).node({"MatMul", {"x", "x"}, {"y"}}).output("y", {64, 64}).bytes();
  for (int times = 0; times < 3; ++times) {
    const auto runtime = std::make_shared<const Runtime>(library, 2);
    report.check(runtime->environment().shares_threads(), "an environment of our own has the shared threads");
    const auto shared = load(runtime, model);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    threads.reserve(3);
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        const auto session = t == 0 ? shared : load(runtime, model);
        std::vector<float> x(std::size_t{64} * 64, 0);
        for (std::size_t i = 0; i < 64; ++i) x[i * 65] = static_cast<float>(t + 2);
        for (int i = 0; i < 20; ++i) {
          const std::vector<float> y = values_of<float>(run(session, {{{64, 64}, x}})[0]);
          const auto expected = static_cast<float>((t + 2) * (t + 2));
          for (std::size_t at = 0; at < y.size(); ++at) wrong += y[at] != (at % 65 == 0 ? expected : 0);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    report.check(wrong == 0, "%d wrong values of three threads", wrong.load());
  }
}

/// Where somebody else has made the environment.
void test_foreign_environment(Report& report, const std::string& path) {
  const Library library(path);
  const Api& api = library.api();
  const auto foreign = make(api, api.ReleaseEnv, api.CreateEnv, kFatal, "somebody else");
  const auto runtime = std::make_shared<const Runtime>(path, 2);
  report.check(!runtime->environment().shares_threads(), "an environment without shared threads is recognised");
  const std::string model = ModelWriter().input("x", {2}).node({"Neg", {"x"}, {"y"}}).output("y", {2}).bytes();
  const std::vector<Result> results = run(load(runtime, model), {{{2}, {1, -2}}});
  report.check(values_of<float>(results[0]) == std::vector<float>{-1, 2}, "a run on threads of the session's own");
}

}  // namespace

void test_shared_state(Report& report, const std::string& library) {
  test_pool(report);
  test_queue(report);
  test_threads(report, library);
  test_foreign_environment(report, library);
}
