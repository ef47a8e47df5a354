#pragma once

#include "unitscope/status.h"

namespace us {

/// Keeps the message for the calling thread and returns the status, so that a check is one line: `return fail(...)`.
[[gnu::format(printf, 2, 3), gnu::cold]] us_status fail(us_status status, const char* format, ...) noexcept;

/// Keeps a message that was made elsewhere, by a worker thread or by a back end's library.
void set_error_message(const char* message) noexcept;

}  // namespace us
