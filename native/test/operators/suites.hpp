#pragma once

#include <string>
#include <vector>

#include "harness.hpp"
#include "ort/api.hpp"

void test_compute(Report& report);

/// Every operator inside graphs of the ONNX Runtime at `runtime`; `operators` is the library that registers them.
void test_in_graphs(Report& report, const std::string& runtime, const std::string& operators);

/// The operators, working through a table that counts what they take from ONNX Runtime and give back. To be called once.
const std::vector<const us::ort::CustomOp*>& counted_operators(const us::ort::Api& api);
/// Statuses that were not given back: those that the operators have passed on to ONNX Runtime.
int statuses_kept();
/// Other objects that were not given back.
int objects_kept();
