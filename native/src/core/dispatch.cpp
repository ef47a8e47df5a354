#include <cstdlib>
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

us_status find_backend(us_backend backend, const us_backend_table** table) {
  switch (backend) {
    case US_BACKEND_CPU:
      *table = &cpu_backend();
      break;
    case US_BACKEND_CUDA:
      *table = cuda_backend();
      break;
    default:
      return fail(US_INVALID_ARGUMENT, "back end %d is unknown; there are 0 (cpu) and 1 (cuda)", (int)backend);
  }
  return *table == nullptr ? US_UNAVAILABLE : (*table)->available();
}

us_status find_backend(const us_execution* execution, const us_backend_table** table) {
  if (execution == nullptr) return fail(US_INVALID_ARGUMENT, "execution must not be NULL");
  if (execution->threads < 0) {
    return fail(US_INVALID_ARGUMENT, "threads must not be negative, it is %d", (int)execution->threads);
  }
  return find_backend(execution->backend, table);
}

us_status no_kernel(us_backend backend, us_kernel kernel) {
  return fail(US_UNSUPPORTED, "back end %s has no kernel %s", us_backend_name(backend), us_kernel_name(kernel));
}

}  // namespace
}  // namespace us

#define US_SIGNATURE(...) , __VA_ARGS__
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS)                                                      \
  us_status us_##stem(const us_execution* execution US_SIGNATURE SIGNATURE) {                            \
    return us::guarded([&] {                                                                             \
      const us_backend_table* table = nullptr;                                                           \
      us_status status = us::find_backend(execution, &table);                                            \
      if (status == US_OK && table->stem == nullptr) {                                                   \
        status = us::no_kernel(execution->backend, US_KERNEL_##NAME);                                    \
      }                                                                                                  \
      if (status == US_OK) status = us::check_##stem ARGUMENTS;                                          \
      return status == US_OK ? table->stem(execution US_SIGNATURE ARGUMENTS) : status;                   \
    });                                                                                                  \
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
  return us::guarded([&] {
    const us_backend_table* table = nullptr;
    return us::find_backend(backend, &table);
  });
}

const char* us_backend_device(us_backend backend) {
  const us_backend_table* table = nullptr;
  const us_status status = us::guarded([&] { return us::find_backend(backend, &table); });
  return status == US_OK ? table->device() : "";
}

us_status us_backend_supports(us_backend backend, us_kernel kernel) {
  return us::guarded([&] {
    const us_backend_table* table = nullptr;
    const us_status status = us::find_backend(backend, &table);
    if (status != US_OK) return status;
    bool found = false;
    switch (kernel) {
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) \
  case US_KERNEL_##NAME:                            \
    found = table->stem != nullptr;                 \
    break;
#include "unitscope/kernels.def"
#undef US_KERNEL
      default:
        return us::fail(US_INVALID_ARGUMENT, "kernel %d is unknown", (int)kernel);
    }
    return found ? US_OK : us::no_kernel(backend, kernel);
  });
}

us_status us_memory_allocate(us_backend backend, size_t bytes, void** memory) {
  return us::guarded([&] {
    if (memory == nullptr) return us::fail(US_INVALID_ARGUMENT, "memory must not be NULL");
    *memory = nullptr;
    const us_backend_table* table = nullptr;
    const us_status status = us::find_backend(backend, &table);
    return status == US_OK ? table->allocate(bytes, memory) : status;
  });
}

us_status us_memory_free(us_backend backend, void* memory) {
  return us::guarded([&] {
    const us_backend_table* table = nullptr;
    const us_status status = us::find_backend(backend, &table);
    return status == US_OK ? table->release(memory) : status;
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
    const us_backend_table* table = nullptr;
    const us_status status = us::find_backend(execution, &table);
    return status == US_OK ? table->copy(execution, direction, to, from, bytes) : status;
  });
}

us_status us_synchronize(const us_execution* execution) {
  return us::guarded([&] {
    const us_backend_table* table = nullptr;
    const us_status status = us::find_backend(execution, &table);
    return status == US_OK ? table->synchronize(execution) : status;
  });
}
