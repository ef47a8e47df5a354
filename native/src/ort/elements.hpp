#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ort/api.hpp"

namespace us::ort {

/// Bytes of an element; 0 for types without a size of their own.
std::size_t size_of(ElementType type);

/// "float32" for kFloat, after numpy's names.
const char* name_of(ElementType type);

/// Bytes of a tensor; throws Failure where a size is negative or the product does not fit.
std::size_t bytes_of(ElementType type, const std::vector<std::int64_t>& dims);

}  // namespace us::ort
