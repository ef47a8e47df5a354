#include "core/error.hpp"

#include <cstdarg>
#include <cstdio>

namespace us {
namespace {

// A fixed size, because keeping a message must not fail where memory has run out.
constexpr std::size_t kMessageSize = 1024;
thread_local char last_message[kMessageSize] = "";

}  // namespace

us_status fail(us_status status, const char* format, ...) noexcept {
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(last_message, kMessageSize, format, arguments);
  va_end(arguments);
  return status;
}

void set_error_message(const char* message) noexcept {
  if (message != last_message) std::snprintf(last_message, kMessageSize, "%s", message);
}

}  // namespace us

const char* us_last_error_message(void) { return us::last_message; }

int32_t us_abi_version(void) { return US_ABI_VERSION; }

us_status us_check_abi(int32_t abi_version) {
  if (abi_version == US_ABI_VERSION) return US_OK;
  return us::fail(US_UNSUPPORTED,
                  "the program was built for binary interface %d, this library has %d; build the program with the "
                  "library's own headers",
                  abi_version, US_ABI_VERSION);
}

const char* us_status_name(us_status status) {
  switch (status) {
    case US_OK:
      return "ok";
    case US_INVALID_ARGUMENT:
      return "invalid-argument";
    case US_BAD_INPUT:
      return "bad-input";
    case US_UNSUPPORTED:
      return "unsupported";
    case US_UNAVAILABLE:
      return "unavailable";
    case US_OUT_OF_MEMORY:
      return "out-of-memory";
    case US_INTERNAL:
      return "internal";
  }
  return "unknown";
}
