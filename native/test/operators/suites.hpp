#pragma once

#include <string>

#include "harness.hpp"

void test_compute(Report& report);

/// Every operator inside graphs of the ONNX Runtime at `runtime`; `operators` is the library that registers them.
void test_in_graphs(Report& report, const std::string& runtime, const std::string& operators);
