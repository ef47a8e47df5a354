#pragma once

#include <string>

#include "harness.hpp"
#include "ort/api.hpp"

class TestEnvironment;

void test_compute(Report& report);

/// Every operator inside graphs of the ONNX Runtime at `runtime`; `operators` is the library that registers them.
void test_in_graphs(Report& report, const std::string& runtime, const std::string& operators);

/// `options` know the operators.
void test_leaks(Report& report, const TestEnvironment& environment, const us::ort::SessionOptions* options);
