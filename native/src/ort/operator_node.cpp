#include "ort/operator_node.hpp"

#include <cmath>

namespace us::ort {
namespace {

/// Whether the call went well; what went wrong otherwise is that there is no such attribute.
bool succeeded(const Api& api, Status* status) {
  if (status == nullptr) return true;
  api.ReleaseStatus(status);
  return false;
}

/// Text that ONNX Runtime writes where it is told to, with its final zero.
template <typename Read>
std::optional<std::string> read_text(const Api& api, Read read) {
  std::size_t size = 0;
  if (!succeeded(api, read(nullptr, &size))) return std::nullopt;
  std::string text(size, '\0');
  check(api, read(text.data(), &size));
  text.resize(size > 0 ? size - 1 : 0);
  return text;
}

template <typename Element, typename Read>
std::optional<std::vector<Element>> read_array(const Api& api, Read read) {
  std::size_t size = 0;
  if (!succeeded(api, read(nullptr, &size))) return std::nullopt;
  std::vector<Element> values(size);
  if (size > 0) check(api, read(values.data(), &size));
  return values;
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char character : text) {
    if (character == ',') {
      parts.emplace_back();
    } else if (character != ' ') {
      parts.back() += character;
    }
  }
  return parts;
}

/// The strings and their array are in the allocator's memory.
class GivenTexts {
 public:
  explicit GivenTexts(const Api& api) : api_(api) { check(api, api.GetAllocatorWithDefaultOptions(&allocator_)); }

  ~GivenTexts() {
    if (texts_ == nullptr) return;
    for (std::size_t i = 0; i < count_; ++i) succeeded(api_, api_.AllocatorFree(allocator_, texts_[i]));
    succeeded(api_, api_.AllocatorFree(allocator_, texts_));
  }

  GivenTexts(const GivenTexts&) = delete;
  GivenTexts& operator=(const GivenTexts&) = delete;

  std::optional<std::vector<std::string>> read(const KernelInfo* info, const char* name) {
    Status* const status = api_.KernelInfoGetAttributeArray_string(info, name, allocator_, &texts_, &count_);
    if (!succeeded(api_, status)) return std::nullopt;
    return std::vector<std::string>(texts_, texts_ + count_);
  }

 private:
  const Api& api_;
  Allocator* allocator_ = nullptr;
  char** texts_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace

std::string text_of(const Dims& dims) {
  std::string text = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

OperatorNode::OperatorNode(const Api& api, std::uint32_t table, const char* operator_name, const KernelInfo* info)
    : api_(api), table_(table), info_(info), title_(operator_name) {
  const auto name = read_text(api, [&](char* out, std::size_t* size) {
    return api.KernelInfo_GetNodeName(info, out, size);
  });
  if (name.has_value() && !name->empty()) title_ += " \"" + *name + "\"";
}

void OperatorNode::fail(const std::string& message) const { throw Failure(title_ + ": " + message, kInvalidArgument); }

std::size_t OperatorNode::input_count() const {
  std::size_t count = 0;
  check(api_, api_.KernelInfo_GetInputCount(info_, &count));
  return count;
}

std::size_t OperatorNode::output_count() const {
  std::size_t count = 0;
  check(api_, api_.KernelInfo_GetOutputCount(info_, &count));
  return count;
}

std::optional<std::int64_t> OperatorNode::integer(const char* name) const {
  std::int64_t value = 0;
  if (!succeeded(api_, api_.KernelInfoGetAttribute_int64(info_, name, &value))) return std::nullopt;
  return value;
}

std::optional<float> OperatorNode::real(const char* name) const {
  float value = 0;
  if (!succeeded(api_, api_.KernelInfoGetAttribute_float(info_, name, &value))) return std::nullopt;
  return value;
}

std::optional<std::string> OperatorNode::text(const char* name) const {
  return read_text(api_, [&](char* out, std::size_t* size) {
    return api_.KernelInfoGetAttribute_string(info_, name, out, size);
  });
}

std::optional<Dims> OperatorNode::integers(const char* name) const {
  return read_array<std::int64_t>(api_, [&](std::int64_t* out, std::size_t* size) {
    return api_.KernelInfoGetAttributeArray_int64(info_, name, out, size);
  });
}

std::optional<std::vector<float>> OperatorNode::reals(const char* name) const {
  return read_array<float>(api_, [&](float* out, std::size_t* size) {
    return api_.KernelInfoGetAttributeArray_float(info_, name, out, size);
  });
}

std::optional<std::vector<std::string>> OperatorNode::texts(const char* name) const {
  if (const auto joined = text(name); joined.has_value()) return split_at_commas(*joined);
  // Tables of older versions end before the member that reads a list.
  if (table_ < kApiVersion) return std::nullopt;
  return GivenTexts(api_).read(info_, name);
}

Dims OperatorNode::required_integers(const char* name) const {
  auto values = integers(name);
  if (!values.has_value()) fail(std::string("the attribute ") + name + " (ints) is missing");
  return std::move(*values);
}

SignalMask OperatorNode::mask(bool rule_required) const {
  const auto rule = text("rule");
  if (!rule.has_value() && rule_required) fail("the attribute rule (string) is missing");
  const SignalMask mask = this->mask(rule.value_or("none"), real("ceiling"));
  if (rule_required && mask.rule == US_SIGNAL_RULE_NONE) {
    fail("the rule must be gradient, guided or deconvnet, not none");
  }
  return mask;
}

SignalMask OperatorNode::mask(const std::string& rule, std::optional<float> ceiling) const {
  constexpr const char* kRules[] = {"none", "gradient", "guided", "deconvnet"};
  constexpr us_signal_rule kValues[] = {US_SIGNAL_RULE_NONE, US_SIGNAL_RULE_GRADIENT, US_SIGNAL_RULE_GUIDED,
                                        US_SIGNAL_RULE_DECONVNET};
  SignalMask mask;
  std::size_t known = 0;
  while (known < 4 && rule != kRules[known]) ++known;
  if (known == 4) fail("the rule \"" + rule + "\" is unknown; there are none, gradient, guided, deconvnet");
  mask.rule = kValues[known];
  if (ceiling.has_value() && !(*ceiling > 0)) {
    fail("the ceiling must be larger than 0, it is " + std::to_string(*ceiling));
  }
  mask.has_ceiling = ceiling.has_value() && !std::isinf(*ceiling);
  if (mask.has_ceiling) mask.ceiling = *ceiling;
  return mask;
}

std::int64_t OperatorNode::block() const {
  const std::int64_t block = integer("block").value_or(1);
  if (block != 1 && block != 8 && block != 16) {
    fail("the block must be 1, 8 or 16 channels, it is " + std::to_string(block));
  }
  return block;
}

}  // namespace us::ort
