#include <cstdlib>
#include <string>

#include "core/backends.hpp"
#include "core/error.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#define US_HAS_DLOPEN 1
#else
#define US_HAS_DLOPEN 0
#endif

namespace us {
namespace {

struct Loaded {
  const us_backend_table* table = nullptr;
  std::string reason;
};

#if US_HAS_DLOPEN

constexpr const char* kLibrary = "libunitscope_cuda.so";

/// The folder of the library or addon that this code is linked into.
std::string own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&us_abi_version), &info) == 0 || info.dli_fname == nullptr) return ".";
  const std::string path = info.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

Loaded load_from(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    return {nullptr, why != nullptr ? why : path + " cannot be loaded"};
  }
  // POSIX defines this conversion of the object pointer that dlsym returns.
  const auto entry = reinterpret_cast<us_backend_entry>(dlsym(library, "us_cuda_backend_table"));
  if (entry == nullptr) return {nullptr, path + " is not unitscope's CUDA library"};
  const us_backend_table* table = entry(US_ABI_VERSION, &set_error_message);
  if (table == nullptr) {
    return {nullptr, path + " was built for another version of unitscope; build both from the same sources"};
  }
  return {table, ""};
}

Loaded load() {
  const char* named = std::getenv("UNITSCOPE_CUDA_LIBRARY");
  if (named != nullptr && *named != '\0') return load_from(named);
  return load_from(own_folder() + "/" + kLibrary);
}

#else

Loaded load() { return {nullptr, "libraries cannot be loaded at run time on this system"}; }

#endif

}  // namespace

const us_backend_table* cuda_backend() {
  static const Loaded loaded = load();
  if (loaded.table == nullptr) {
    fail(US_UNAVAILABLE,
         "no CUDA back end: %s. Build with -DUS_CUDA=ON where the CUDA toolkit is installed, or name the library in "
         "UNITSCOPE_CUDA_LIBRARY",
         loaded.reason.c_str());
  }
  return loaded.table;
}

}  // namespace us
