#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ort/runtime.hpp"

namespace us::ort {

/// Runs small networks whose results are known and throws Failure where anything but these comes out: a member of the
/// table that is not what it is taken for, or an operator of ours that does not do what it should, answers with a
/// status that is fine.
void check_values(const std::shared_ptr<const Runtime>& runtime);

/// The block of ONNX Runtime's NCHWc layout on this machine: that of the candidates (8, 16) with which a small network
/// of the domain com.microsoft.nchwc gives exactly what the same network gives in NCHW. The domain is internal to ONNX
/// Runtime: nothing but the values says whether it is there and what its layout is.
std::optional<int> find_block(const std::shared_ptr<const Runtime>& runtime, const std::vector<int>& candidates);

}  // namespace us::ort
