#include "ort/library.hpp"

#include <array>
#include <cstring>
#include <fstream>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif
#ifdef __linux__
#include <elf.h>
#endif

#include "ort/failure.hpp"

namespace us::ort {
namespace {

using GetApiBase = const ApiBase* (*)();
constexpr const char* kEntry = "OrtGetApiBase";

/// The size of a file; throws Failure if it cannot be read.
std::uint64_t size_of_file(const std::string& path, std::ifstream& file) {
  file.open(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file.is_open() ? static_cast<std::streamoff>(file.tellg()) : -1;
  if (size < 0) throw Failure("there is no file " + path + " that can be read");
  return static_cast<std::uint64_t>(size);
}

/// The loader maps what the headers promise: where the file ends earlier, the process would end with it.
void require_whole_file(const std::string& path) {
  std::ifstream file;
  const std::uint64_t size = size_of_file(path, file);
#ifdef __linux__
  Elf64_Ehdr header;
  std::array<char, sizeof header> bytes{};
  file.seekg(0);
  if (!file.read(bytes.data(), sizeof header)) throw Failure(path + " is not a library");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) {
    throw Failure(path + " is not a library");
  }
  // The table of sections is the last part of a library.
  const std::uint64_t sections = std::uint64_t{header.e_shentsize} * header.e_shnum;
  if (header.e_shoff > size || size - header.e_shoff < sections) throw Failure(path + " is cut short");
#else
  if (size == 0) throw Failure(path + " is not a library");
#endif
}

#ifdef _WIN32

void* open(const std::string& path) {
  HMODULE const library = LoadLibraryA(path.c_str());
  if (library == nullptr) throw Failure(path + " cannot be loaded: error " + std::to_string(GetLastError()));
  return library;
}

void* find(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

void close(void* library) { FreeLibrary(static_cast<HMODULE>(library)); }

#else

void* open(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Failure(path + " cannot be loaded: " + dlerror());
  return library;
}

void* find(void* library, const char* name) { return dlsym(library, name); }

void close(void* library) { dlclose(library); }

#endif

}  // namespace

Library::Library(const std::string& path) {
  require_whole_file(path);
  void* const library = open(path);
  try {
    void* const entry = find(library, kEntry);
    if (entry == nullptr) throw Failure(path + " is not ONNX Runtime: it has no " + kEntry);
    const ApiBase& base = *reinterpret_cast<GetApiBase>(entry)();
    const std::string version = base.GetVersionString();
    if (version != kVersion) {
      throw Failure(path + " is ONNX Runtime " + version + ", and " + kVersion + " is needed");
    }
    api_ = base.GetApi(kApiVersion);
    if (api_ == nullptr) throw Failure(path + " has no interface " + std::to_string(kApiVersion));
  } catch (...) {
    close(library);
    throw;
  }
}

}  // namespace us::ort
