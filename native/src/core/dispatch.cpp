#include <exception>
#include <new>

#include "core/backends.hpp"
#include "core/checks.hpp"
#include "core/error.hpp"
#include "unitscope/unitscope.h"

namespace us {
namespace {

/// Nothing thrown inside may cross the C interface.
template <typename Body>
us_status guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(US_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return fail(US_INTERNAL, "%s", error.what());
  } catch (...) {
    return fail(US_INTERNAL, "an unknown C++ exception");
  }
}

/// A back end that works here, or NULL and why there is none.
struct Found {
  const us_backend_table* table;
  us_status status;
};

Found find_backend(us_backend backend) {
  const us_backend_table* table = nullptr;
  switch (backend) {
    case US_BACKEND_CPU:
      table = &cpu_backend();
      break;
    case US_BACKEND_CUDA:
      table = cuda_backend();
      break;
    default:
      return {nullptr, fail(US_INVALID_ARGUMENT, "back end %d is unknown; there are 0 (cpu) and 1 (cuda)", (int)backend)};
  }
  if (table == nullptr) return {nullptr, US_UNAVAILABLE};
  const us_status status = table->available();
  return {status == US_OK ? table : nullptr, status};
}

Found find_backend(const us_execution* execution) {
  if (execution == nullptr) return {nullptr, fail(US_INVALID_ARGUMENT, "execution must not be NULL")};
  if (execution->threads < 0) {
    return {nullptr, fail(US_INVALID_ARGUMENT, "threads must not be negative, it is %d", (int)execution->threads)};
  }
  return find_backend(execution->backend);
}

us_status no_kernel(us_backend backend, us_kernel kernel) {
  return fail(US_UNSUPPORTED, "back end %s has no kernel %s", us_backend_name(backend), us_kernel_name(kernel));
}

}  // namespace
}  // namespace us

#define US_SIGNATURE(...) , __VA_ARGS__
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS)                                                           \
  us_status us_##stem(const us_execution* execution US_SIGNATURE SIGNATURE) {                                 \
    return us::guarded([&] {                                                                                  \
      const us::Found found = us::find_backend(execution);                                                    \
      if (found.table == nullptr) return found.status;                                                        \
      if (found.table->stem == nullptr) return us::no_kernel(execution->backend, US_KERNEL_##NAME);           \
      const us_status status = us::check_##stem ARGUMENTS;                                                    \
      return status == US_OK ? found.table->stem(execution US_SIGNATURE ARGUMENTS) : status;                  \
    });                                                                                                       \
  }
#include "unitscope/kernels.def"
#undef US_KERNEL
#undef US_SIGNATURE

const char* us_kernel_name(us_kernel kernel) {
  switch (kernel) {
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) \
  case US_KERNEL_##NAME:                            \
    return #stem;
#include "unitscope/kernels.def"
#undef US_KERNEL
    default:
      return nullptr;
  }
}

const char* us_backend_name(us_backend backend) {
  switch (backend) {
    case US_BACKEND_CPU:
      return "cpu";
    case US_BACKEND_CUDA:
      return "cuda";
    default:
      return nullptr;
  }
}

us_status us_backend_available(us_backend backend) {
  return us::guarded([&] { return us::find_backend(backend).status; });
}

const char* us_backend_device(us_backend backend) {
  const char* device = "";
  us::guarded([&] {
    const us::Found found = us::find_backend(backend);
    if (found.table != nullptr) device = found.table->device();
    return found.status;
  });
  return device;
}

us_status us_backend_supports(us_backend backend, us_kernel kernel) {
  return us::guarded([&] {
    const us::Found found = us::find_backend(backend);
    if (found.table == nullptr) return found.status;
    bool has = false;
    switch (kernel) {
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) \
  case US_KERNEL_##NAME:                            \
    has = found.table->stem != nullptr;             \
    break;
#include "unitscope/kernels.def"
#undef US_KERNEL
      default:
        return us::fail(US_INVALID_ARGUMENT, "kernel %d is unknown", (int)kernel);
    }
    return has ? US_OK : us::no_kernel(backend, kernel);
  });
}

us_status us_memory_allocate(us_backend backend, size_t bytes, void** memory) {
  return us::guarded([&] {
    if (memory == nullptr) return us::fail(US_INVALID_ARGUMENT, "memory must not be NULL");
    *memory = nullptr;
    const us::Found found = us::find_backend(backend);
    return found.table == nullptr ? found.status : found.table->allocate(bytes, memory);
  });
}

us_status us_memory_free(us_backend backend, void* memory) {
  return us::guarded([&] {
    const us::Found found = us::find_backend(backend);
    return found.table == nullptr ? found.status : found.table->release(memory);
  });
}

us_status us_memory_copy(const us_execution* execution, us_copy direction, void* to, const void* from, size_t bytes) {
  return us::guarded([&] {
    if (direction != US_COPY_TO_DEVICE && direction != US_COPY_TO_HOST) {
      return us::fail(US_INVALID_ARGUMENT, "copy direction %d is unknown", (int)direction);
    }
    if (bytes > 0 && (to == nullptr || from == nullptr)) {
      return us::fail(US_INVALID_ARGUMENT, "to and from must not be NULL");
    }
    const us::Found found = us::find_backend(execution);
    return found.table == nullptr ? found.status : found.table->copy(execution, direction, to, from, bytes);
  });
}

us_status us_synchronize(const us_execution* execution) {
  return us::guarded([&] {
    const us::Found found = us::find_backend(execution);
    return found.table == nullptr ? found.status : found.table->synchronize(execution);
  });
}
