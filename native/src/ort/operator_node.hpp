#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/signal_work.hpp"
#include "ort/failure.hpp"

namespace us::ort {

/// Sizes of a tensor, outermost first.
using Dims = std::vector<std::int64_t>;

/// "[1, 64, 55, 55]".
std::string text_of(const Dims& dims);

/// The node that a kernel is made for: its name and its attributes. Every failure is of one line and names both.
class OperatorNode {
 public:
  /// `table` is the version of the table at `api`. Throws Failure.
  OperatorNode(const Api& api, std::uint32_t table, const char* operator_name, const KernelInfo* info);

  /// `MaxPoolGrad "pool1_gradient"`.
  const std::string& title() const { return title_; }

  /// Throws Failure with `message` behind the title.
  [[noreturn]] void fail(const std::string& message) const;

  std::size_t input_count() const;
  std::size_t output_count() const;

  // Empty, or the default, where the node has no such attribute of that type.
  std::optional<std::int64_t> integer(const char* name) const;
  std::optional<float> real(const char* name) const;
  std::optional<std::string> text(const char* name) const;
  std::optional<Dims> integers(const char* name) const;
  std::optional<std::vector<float>> reals(const char* name) const;
  /// Given as strings, or as one string with commas in between: only newer versions of ONNX Runtime hand a list of
  /// strings to custom operators.
  std::optional<std::vector<std::string>> texts(const char* name) const;

  Dims required_integers(const char* name) const;

  /// Attributes `rule` and `ceiling`.
  SignalMask mask(bool rule_required) const;
  SignalMask mask(const std::string& rule, std::optional<float> ceiling) const;
  /// Attribute `block`: 1, 8 or 16.
  std::int64_t block() const;

 private:
  const Api& api_;
  std::uint32_t table_;
  const KernelInfo* info_;
  std::string title_;
};

}  // namespace us::ort
