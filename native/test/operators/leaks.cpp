// Whether sessions with our operators, runs and refusals give back what ONNX Runtime made for them.
#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "operators/session.hpp"
#include "operators/suites.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHasOwnMalloc = true;
#else
constexpr bool kHasOwnMalloc = false;
#endif

namespace {

constexpr int kRounds = 400;
/// The smallest object that a round can leave behind takes more than this, a block of malloc's 32 bytes.
constexpr std::size_t kBytesPerRound = 24;

std::size_t bytes_in_use() {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
  return mallinfo2().uordblks;
#else
  return 0;
#endif
}

/// Attributes of every type, some of them missing; a run; a run that is refused; a session that is refused.
void one_round(const TestEnvironment& environment, const us::ort::SessionOptions* options) {
  const Node split{"SplitReluGrad",
                   {"dy", "y"},
                   {"a", "b"},
                   {{"split", std::vector<std::int64_t>{1, 1}}, {"rules", std::vector<std::string>{"none", "guided"}}}};
  const std::vector<Input> inputs{{"dy", {-1, -2}}, {"y", {-1, -2}}};
  const TestSession session(environment, options, model_bytes(inputs, {split}, {"a", "b"}));
  const Tensor two{{1, 2}, {1, 2}};
  const Tensor three{{1, 3}, {1, 2, 3}};
  session.run({{"dy", two}, {"y", two}}, {"a", "b"});
  for (const bool wrong_model : {false, true}) {
    try {
      if (wrong_model) {
        Node unknown = split;
        unknown.attributes.back() = {"rules", "none,unknown"};
        const TestSession refused(environment, options, model_bytes(inputs, {unknown}, {"a", "b"}));
      } else {
        session.run({{"dy", three}, {"y", three}}, {"a", "b"});
      }
    } catch (const us::ort::Failure&) {
      continue;
    }
    throw us::ort::Failure("what is wrong was not refused");
  }
}

}  // namespace

void test_leaks(Report& report, const TestEnvironment& environment, const us::ort::SessionOptions* options) {
  if (kHasOwnMalloc || bytes_in_use() == 0) {
    std::printf("SKIPPED: how much memory is in use cannot be asked for here\n");
    return;
  }
  for (int i = 0; i < kRounds / 4; ++i) one_round(environment, options);
  const std::size_t before = bytes_in_use();
  for (int i = 0; i < kRounds; ++i) one_round(environment, options);
  const std::size_t after = bytes_in_use();
  const std::size_t grown = after > before ? after - before : 0;
  report.check(grown < kRounds * kBytesPerRound, "%d rounds leave %zu bytes behind", kRounds, grown);
}
