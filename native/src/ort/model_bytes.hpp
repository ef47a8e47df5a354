#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ort/api.hpp"

namespace us::ort {

/// The small networks of the self-check, written as ONNX files: protobuf's wire format and the few messages they need.
/// The numbers of fields are those of onnx.proto.
class Message {
 public:
  Message& number(int field, std::int64_t value);
  Message& real(int field, float value);
  Message& text(int field, const std::string& value);
  Message& message(int field, const Message& value);

  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value);
  std::string bytes_;
};

struct TensorValue {
  std::string name;
  std::vector<std::int64_t> dims;
  std::vector<float> values;
};

/// A node; attributes are added as they are needed.
class NodeWriter {
 public:
  NodeWriter(const char* op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
             const char* domain = "");

  NodeWriter& integer(const char* name, std::int64_t value);
  NodeWriter& integers(const char* name, const std::vector<std::int64_t>& values);
  NodeWriter& real(const char* name, float value);
  NodeWriter& reals(const char* name, const std::vector<float>& values);
  NodeWriter& text(const char* name, const std::string& value);
  NodeWriter& texts(const char* name, const std::vector<std::string>& values);

  const Message& message() const { return node_; }

 private:
  Message node_;
};

/// A network of float32 tensors; outputs may be of another type.
class ModelWriter {
 public:
  /// Operator sets beyond ONNX's own (version 18), each in version 1.
  explicit ModelWriter(const std::vector<std::string>& domains = {});

  ModelWriter& node(const NodeWriter& node);
  ModelWriter& input(const char* name, const std::vector<std::int64_t>& dims);
  ModelWriter& output(const char* name, const std::vector<std::int64_t>& dims);
  /// -1 in `dims`: a size that is not known before.
  ModelWriter& output_of(const char* name, ElementType type, const std::vector<std::int64_t>& dims);
  ModelWriter& weight(const TensorValue& tensor);
  /// A weight whose bytes are the whole of another file.
  ModelWriter& external_weight(const char* name, const std::vector<std::int64_t>& dims, const std::string& file);

  std::string bytes() const;

 private:
  Message model_;
  Message graph_;
};

}  // namespace us::ort
