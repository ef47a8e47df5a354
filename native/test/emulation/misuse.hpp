#pragma once

#include <cstring>
#include <string>

namespace us::emulation {

/// Says on standard error what a kernel, or the code around it, did against the rules of CUDA, and ends the process.
[[noreturn]] void misuse(const std::string& what);

/// A place in the sources of a kernel.
struct Site {
  const char* file;
  int line;

  bool operator==(const Site& other) const { 
    return line == other.line && (file == other.file || std::strcmp(file, other.file) == 0);
  }
  std::string text() const { return std::string(file) + ":" + std::to_string(line); }
};

}  // namespace us::emulation
