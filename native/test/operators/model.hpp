#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

// The bytes of small ONNX models: as much of the format as the tests need.

/// A message of protocol buffers.
class Message {
 public:
  Message& integer(int field, std::int64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3U);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }

  Message& real(int field, float value) {
    varint((static_cast<std::uint64_t>(field) << 3U) | 5U);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    bytes_.append(bytes, sizeof bytes);
    return *this;
  }

  Message& text(int field, const std::string& value) {
    varint((static_cast<std::uint64_t>(field) << 3U) | 2U);
    varint(value.size());
    bytes_ += value;
    return *this;
  }

  Message& message(int field, const Message& value) { return text(field, value.bytes_); }

  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7U) bytes_ += static_cast<char>(value | 128U);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

/// AttributeProto.
class Attribute {
 public:
  Attribute(const std::string& name, std::int64_t value) { typed(name, 2).integer(3, value); }
  Attribute(const std::string& name, float value) { typed(name, 1).real(2, value); }
  Attribute(const std::string& name, const char* value) { typed(name, 3).text(4, value); }
  Attribute(const std::string& name, const std::vector<std::int64_t>& values) {
    typed(name, 7);
    for (const std::int64_t value : values) proto_.integer(8, value);
  }
  Attribute(const std::string& name, const std::vector<float>& values) {
    typed(name, 6);
    for (const float value : values) proto_.real(7, value);
  }
  Attribute(const std::string& name, const std::vector<std::string>& values) {
    typed(name, 8);
    for (const std::string& value : values) proto_.text(9, value);
  }

  const Message& proto() const { return proto_; }

 private:
  Message& typed(const std::string& name, int type) { return proto_.text(1, name).integer(20, type); }

  Message proto_;
};

struct Node {
  std::string operator_name;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<Attribute> attributes;
  std::string domain = "unitscope";
};

/// An input; a size below 0 is a name.
struct Input {
  std::string name;
  std::vector<std::int64_t> dims;
};

inline std::string model_bytes(const std::vector<Input>& inputs, const std::vector<Node>& nodes,
                               const std::vector<std::string>& outputs) {
  Message graph;
  for (const Node& node : nodes) {
    Message proto;
    for (const std::string& input : node.inputs) proto.text(1, input);
    for (const std::string& output : node.outputs) proto.text(2, output);
    proto.text(3, node.operator_name + "_node").text(4, node.operator_name);
    for (const Attribute& attribute : node.attributes) proto.message(5, attribute.proto());
    graph.message(1, proto.text(7, node.domain));
  }
  graph.text(2, "graph");
  for (const Input& input : inputs) {
    Message shape;
    for (const std::int64_t dim : input.dims) {
      shape.message(1, dim < 0 ? Message().text(2, "n" + std::to_string(-dim)) : Message().integer(1, dim));
    }
    const Message type = Message().message(1, Message().integer(1, 1).message(2, shape));
    graph.message(11, Message().text(1, input.name).message(2, type));
  }
  // Outputs without a shape: what a session says about them it has inferred.
  for (const std::string& output : outputs) {
    graph.message(12, Message().text(1, output).message(2, Message().message(1, Message().integer(1, 1))));
  }
  return Message()
      .integer(1, 8)
      .message(7, graph)
      .message(8, Message().text(1, "").integer(2, 17))
      .message(8, Message().text(1, "unitscope").integer(2, 1))
      .bytes();
}
