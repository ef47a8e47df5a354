#include <cstdio>
#include <fstream>

#include "onnxruntime/tests.hpp"
#include "ort/self_check.hpp"

using namespace us::ort;

namespace {

/// Twice, for the second run writes into memory that was bound before it.
void require_values(Report& report, const char* what, const std::shared_ptr<LoadedSession>& session,
                    const std::vector<Given>& given, const std::vector<std::vector<float>>& expected) {
  for (int times = 0; times < 3; ++times) {
    const std::vector<Result> results = run(session, given);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      report.check(values_of<float>(results[i]) == expected[i], "%s: output %zu of run %d", what, i, times);
    }
  }
}

/// Outputs that no node computes, or that two names share.
void test_outputs(Report& report, const SharedRuntime& runtime) {
  const std::string model = ModelWriter()
                                .input("x", {3})
                                .weight({"w", {2}, {5, 6}})
                                .node({"Identity", {"x"}, {"same"}})
                                .node({"Identity", {"w"}, {"constant"}})
                                .node({"Neg", {"x"}, {"negative"}})
                                .node({"Identity", {"negative"}, {"again"}})
                                .output("same", {3})
                                .output("constant", {2})
                                .output("negative", {3})
                                .output("again", {3})
                                .output("w", {2})
                                .bytes();
  const auto session = load(runtime, model);
  require_values(report, "outputs", session, {{{3}, {1, 2, -3}}},
                 {{1, 2, -3}, {5, 6}, {-1, -2, 3}, {-1, -2, 3}, {5, 6}});
  require_values(report, "other values", session, {{{3}, {7, 8, 9}}},
                 {{7, 8, 9}, {5, 6}, {-7, -8, -9}, {-7, -8, -9}, {5, 6}});
}

/// The number of results depends on the values, so what was bound for them may not fit.
void test_shapes(Report& report, const SharedRuntime& runtime) {
  const std::string model = ModelWriter()
                                .input("x", {4})
                                .node({"NonZero", {"x"}, {"y"}})
                                .output_of("y", kInt64, {1, -1})
                                .bytes();
  const auto session = load(runtime, model);
  const std::vector<std::vector<float>> inputs{{0, 1, 1, 0}, {1, 0, 0, 1}, {1, 0, 0, 0},
                                               {1, 1, 1, 1}, {0, 0, 0, 0}, {0, 0, 1, 1}};
  for (const std::vector<float>& input : inputs) {
    const std::vector<Result> results = run(session, {{{4}, input}});
    std::vector<std::int64_t> expected;
    for (std::size_t i = 0; i < input.size(); ++i) {
      if (input[i] != 0) expected.push_back(static_cast<std::int64_t>(i));
    }
    const auto count = static_cast<std::int64_t>(expected.size());
    report.check(results[0].shape.type == kInt64 && results[0].shape.dims == std::vector<std::int64_t>{1, count} &&
                     values_of<std::int64_t>(results[0]) == expected,
                 "results of %d values", static_cast<int>(count));
  }
}

void test_failures(Report& report, const SharedRuntime& runtime) {
  const std::string model = ModelWriter().input("x", {2, 3}).node({"Relu", {"x"}, {"y"}}).output("y", {2, 3}).bytes();
  const auto session = load(runtime, model);
  const std::vector<float> six(6, 1);
  for (int times = 0; times < 2; ++times) {
    report.check(failure_of([&] { run(session, {{{3, 2}, six}}); }).find("invalid dimensions") != std::string::npos,
                 "other sizes than the network's");
    report.check(failure_of([&] { run(session, {{{2, 4}, six}}); }).find("has 24 bytes") != std::string::npos,
                 "fewer values than the shape says");
    report.check(failure_of([&] { run(session, {{{-2, -3}, six}}); }).find("negative") != std::string::npos,
                 "a negative size");
    report.check(failure_of([&] { run(session, {}); }).find("Missing Input") != std::string::npos, "a missing input");
    require_values(report, "after failures", session, {{{2, 3}, {-1, 1, -1, 1, -1, 1}}}, {{0, 1, 0, 1, 0, 1}});
  }
  for (std::size_t length = 0; length < model.size(); length += 7) {
    const std::string failure = failure_of([&] { load(runtime, model.substr(0, length)); });
    report.check(!failure.empty(), "a model cut at %zu of %zu bytes", length, model.size());
  }
  const std::string unknown =
      ModelWriter().input("x", {1}).node({"NoSuchOperator", {"x"}, {"y"}}).output("y", {1}).bytes();
  report.check(failure_of([&] { load(runtime, unknown); }).find("NoSuchOperator") != std::string::npos,
               "an unknown operator");
}

void test_files(Report& report, const SharedRuntime& runtime) {
  const std::string model = ModelWriter()
                                .input("x", {3})
                                .external_weight("w", {3}, "weights.bin")
                                .node({"Mul", {"x", "w"}, {"y"}})
                                .output("y", {3})
                                .bytes();
  std::shared_ptr<LoadedSession> session;
  {
    // What was given may go, and be something else, once the session is there.
    std::vector<float> weights{2, 3, 4};
    LoadOptions options;
    options.files.push_back({"weights.bin", weights.data(), weights.size() * sizeof(float)});
    std::string bytes = model;
    session = load(runtime, bytes, options);
    std::fill(bytes.begin(), bytes.end(), 'x');
    std::fill(weights.begin(), weights.end(), -1.0F);
  }
  require_values(report, "weights of a file", session, {{{3}, {1, 10, 100}}}, {{2, 30, 400}});
  report.check(!failure_of([&] { load(runtime, model); }).empty(), "a file that is missing");
}

void test_profile(Report& report, const SharedRuntime& runtime) {
  const std::string model =
      ModelWriter().input("x", {2}).node({"Neg", {"x"}, {"y"}}).output("y", {2}).bytes();
  LoadOptions options;
  options.profile = "binding_profile";
  const auto session = load(runtime, model, options);
  run(session, {{{2}, {1, 2}}});
  const std::string path = session->end_profile();
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  report.check(text.find("y_kernel_time") != std::string::npos, "the profile %s names the node", path.c_str());
  std::remove(path.c_str());
  report.check(failure_of([&] { session->end_profile(); }).find("it has ended") != std::string::npos, "a second end");
}

void test_blocks(Report& report, const SharedRuntime& runtime) {
  check_values(runtime);
  const auto block = find_block(runtime, {8, 16});
  report.check(!find_block(runtime, {}).has_value(), "no block of none");
  // One of two at most gives the right values; the other is refused for its values.
  for (const int each : {8, 16}) {
    report.check(find_block(runtime, {each}).has_value() == (block == each), "a block of %d", each);
  }
}

}  // namespace

void test_runs(Report& report, const SharedRuntime& runtime) {
  test_outputs(report, runtime);
  test_shapes(report, runtime);
  test_failures(report, runtime);
  test_files(report, runtime);
  test_profile(report, runtime);
  test_blocks(report, runtime);
}
