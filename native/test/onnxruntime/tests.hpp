#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness.hpp"
#include "ort/model_bytes.hpp"
#include "ort/run.hpp"
#include "ort/runtime.hpp"

struct Paths {
  std::string library;
  /// An ONNX Runtime of another version.
  std::string stub;
  /// A library of something else.
  std::string other;
  /// ONNX Runtime through a table that counts.
  std::string counting;
};

using SharedRuntime = std::shared_ptr<const us::ort::Runtime>;

std::shared_ptr<us::ort::LoadedSession> load(const SharedRuntime& runtime, const std::string& model,
                                             const us::ort::LoadOptions& options = {});

/// Runs on float32 tensors given in the order of the inputs, and gives all outputs.
struct Given {
  std::vector<std::int64_t> dims;
  std::vector<float> values;
};
std::vector<us::ort::Result> run(const std::shared_ptr<us::ort::LoadedSession>& session,
                                 const std::vector<Given>& given);

template <typename T>
std::vector<T> values_of(const us::ort::Result& result) {
  std::vector<T> values(result.bytes / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), result.buffer.data(), values.size() * sizeof(T));
  return values;
}

/// What a call fails with; empty where it does not.
std::string failure_of(const std::function<void()>& call);

void test_library(Report& report, const Paths& paths);
void test_balance(Report& report, const Paths& paths);
void test_members(Report& report, const std::string& library);
void test_runs(Report& report, const SharedRuntime& runtime);
void test_termination(Report& report, const std::string& library);
void test_shared_state(Report& report, const std::string& library);
