#include "ort/model_bytes.hpp"

#include <cstring>

namespace us::ort {
namespace {

constexpr int kVarint = 0;
constexpr int kLengthDelimited = 2;
constexpr int kFixed32 = 5;

constexpr std::uint64_t tag(int field, int wire) {
  return static_cast<std::uint64_t>(field) * 8 + static_cast<std::uint64_t>(wire);
}

// AttributeProto.AttributeType
constexpr int kReal = 1;
constexpr int kInt = 2;
constexpr int kText = 3;
constexpr int kReals = 6;
constexpr int kInts = 7;
constexpr int kTexts = 8;

Message attribute(const char* name, int type) {
  Message message;
  message.text(1, name).number(20, type);
  return message;
}

Message value_info(const char* name, ElementType type, const std::vector<std::int64_t>& dims) {
  Message shape;
  for (const std::int64_t dim : dims) shape.message(1, dim < 0 ? Message() : Message().number(1, dim));
  const Message tensor = Message().number(1, type).message(2, shape);
  return Message().text(1, name).message(2, Message().message(1, tensor));
}

Message tensor_proto(const std::string& name, const std::vector<std::int64_t>& dims) {
  Message message;
  for (const std::int64_t dim : dims) message.number(1, dim);
  message.number(2, kFloat).text(8, name);
  return message;
}

}  // namespace

void Message::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
  bytes_ += static_cast<char>(value);
}

Message& Message::number(int field, std::int64_t value) {
  varint(tag(field, kVarint));
  varint(static_cast<std::uint64_t>(value));
  return *this;
}

Message& Message::real(int field, float value) {
  varint(tag(field, kFixed32));
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  bytes_.append(raw, sizeof raw);
  return *this;
}

Message& Message::text(int field, const std::string& value) {
  varint(tag(field, kLengthDelimited));
  varint(value.size());
  bytes_ += value;
  return *this;
}

Message& Message::message(int field, const Message& value) { return text(field, value.bytes_); }

NodeWriter::NodeWriter(const char* op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                       const char* domain) {
  for (const std::string& name : inputs) node_.text(1, name);
  for (const std::string& name : outputs) node_.text(2, name);
  node_.text(3, outputs.front()).text(4, op).text(7, domain);
}

NodeWriter& NodeWriter::integer(const char* name, std::int64_t value) {
  node_.message(5, attribute(name, kInt).number(3, value));
  return *this;
}

NodeWriter& NodeWriter::integers(const char* name, const std::vector<std::int64_t>& values) {
  Message message = attribute(name, kInts);
  for (const std::int64_t value : values) message.number(8, value);
  node_.message(5, message);
  return *this;
}

NodeWriter& NodeWriter::real(const char* name, float value) {
  node_.message(5, attribute(name, kReal).real(2, value));
  return *this;
}

NodeWriter& NodeWriter::reals(const char* name, const std::vector<float>& values) {
  Message message = attribute(name, kReals);
  for (const float value : values) message.real(7, value);
  node_.message(5, message);
  return *this;
}

NodeWriter& NodeWriter::text(const char* name, const std::string& value) {
  node_.message(5, attribute(name, kText).text(4, value));
  return *this;
}

NodeWriter& NodeWriter::texts(const char* name, const std::vector<std::string>& values) {
  Message message = attribute(name, kTexts);
  for (const std::string& value : values) message.text(9, value);
  node_.message(5, message);
  return *this;
}

ModelWriter::ModelWriter(const std::vector<std::string>& domains) {
  model_.number(1, 8).message(8, Message().text(1, "").number(2, 18));
  for (const std::string& domain : domains) model_.message(8, Message().text(1, domain).number(2, 1));
  graph_.text(2, "check");
}

ModelWriter& ModelWriter::node(const NodeWriter& node) {
  graph_.message(1, node.message());
  return *this;
}

ModelWriter& ModelWriter::input(const char* name, const std::vector<std::int64_t>& dims) {
  graph_.message(11, value_info(name, kFloat, dims));
  return *this;
}

ModelWriter& ModelWriter::output(const char* name, const std::vector<std::int64_t>& dims) {
  return output_of(name, kFloat, dims);
}

ModelWriter& ModelWriter::output_of(const char* name, ElementType type, const std::vector<std::int64_t>& dims) {
  graph_.message(12, value_info(name, type, dims));
  return *this;
}

ModelWriter& ModelWriter::weight(const TensorValue& tensor) {
  Message message = tensor_proto(tensor.name, tensor.dims);
  for (const float value : tensor.values) message.real(4, value);
  graph_.message(5, message);
  return *this;
}

ModelWriter& ModelWriter::external_weight(const char* name, const std::vector<std::int64_t>& dims,
                                          const std::string& file) {
  constexpr int kExternal = 1;
  graph_.message(5, tensor_proto(name, dims)
                        .message(13, Message().text(1, "location").text(2, file))
                        .number(14, kExternal));
  return *this;
}

std::string ModelWriter::bytes() const { return Message(model_).message(7, graph_).bytes(); }

}  // namespace us::ort
