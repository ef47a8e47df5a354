#include "ort/elements.hpp"

#include <limits>

#include "ort/failure.hpp"

namespace us::ort {

std::size_t size_of(ElementType type) {
  switch (type) {
    case kUint8:
    case kInt8:
    case kBool:
      return 1;
    case kUint16:
    case kInt16:
    case kFloat16:
    case kBfloat16:
      return 2;
    case kFloat:
    case kInt32:
    case kUint32:
      return 4;
    case kInt64:
    case kDouble:
    case kUint64:
      return 8;
    default:
      return 0;
  }
}

const char* name_of(ElementType type) {
  switch (type) {
    case kFloat: return "float32";
    case kUint8: return "uint8";
    case kInt8: return "int8";
    case kUint16: return "uint16";
    case kInt16: return "int16";
    case kInt32: return "int32";
    case kInt64: return "int64";
    case kString: return "string";
    case kBool: return "bool";
    case kFloat16: return "float16";
    case kDouble: return "float64";
    case kUint32: return "uint32";
    case kUint64: return "uint64";
    case kBfloat16: return "bfloat16";
    default: return "unknown";
  }
}

std::size_t bytes_of(ElementType type, const std::vector<std::int64_t>& dims) {
  // Sizes are handed on to JavaScript, which counts exactly up to here.
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() >> 10);
  std::uint64_t bytes = size_of(type);
  for (const std::int64_t dim : dims) {
    if (dim < 0) throw Failure("the size " + std::to_string(dim) + " of a dimension is negative", kInvalidArgument);
    if (dim > 0 && bytes > kMost / static_cast<std::uint64_t>(dim)) {
      throw Failure("the tensor is too large", kInvalidArgument);
    }
    bytes *= static_cast<std::uint64_t>(dim);
  }
  return static_cast<std::size_t>(bytes);
}

}  // namespace us::ort
