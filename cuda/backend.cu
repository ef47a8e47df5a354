#include <cstdio>

#include "device.cuh"
#include "kernels.cuh"

namespace us::cuda {
namespace {

void (*report)(const char* message) = nullptr;

/// Whether there is a card, asked once. Without a driver CUDA answers something other than "no device", so every failure
/// means that there is none, and its text is kept.
struct Device {
  bool found = false;
  char text[512] = "";

  Device() {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    cudaDeviceProp properties{};
    if (error != cudaSuccess) {
      std::snprintf(text, sizeof text, "no CUDA device: %s", cudaGetErrorString(error));
    } else if (count == 0) {
      std::snprintf(text, sizeof text, "no CUDA device: the driver lists none");
    } else if (const cudaError_t asked = cudaGetDeviceProperties(&properties, 0); asked != cudaSuccess) {
      std::snprintf(text, sizeof text, "no usable CUDA device: %s", cudaGetErrorString(asked));
    } else if (properties.major < 8) {
      std::snprintf(text, sizeof text, "%s has compute capability %d.%d; 8.0 or newer is needed", properties.name,
                    properties.major, properties.minor);
    } else {
      found = true;
      std::snprintf(text, sizeof text, "%s", properties.name);
    }
  }
};

const Device& device() {
  static const Device asked;
  return asked;
}

us_status available() {
  if (device().found) return US_OK;
  set_error(device().text);
  return US_UNAVAILABLE;
}

const char* device_name() { return device().text; }

us_status allocate(size_t bytes, void** memory) {
  const cudaError_t error = cudaMalloc(memory, bytes > 0 ? bytes : 1);
  if (error == cudaErrorMemoryAllocation) return fail(US_OUT_OF_MEMORY, "device memory cannot be allocated", error);
  return error == cudaSuccess ? US_OK : fail(US_INTERNAL, "device memory cannot be allocated", error);
}

us_status release(void* memory) {
  const cudaError_t error = cudaFree(memory);
  return error == cudaSuccess ? US_OK : fail(US_INTERNAL, "device memory cannot be freed", error);
}

us_status copy(const us_execution* execution, us_copy direction, void* to, const void* from, size_t bytes) {
  if (bytes == 0) return US_OK;
  const cudaMemcpyKind kind = direction == US_COPY_TO_DEVICE ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost;
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind, stream_of(execution));
  return error == cudaSuccess ? US_OK : fail(US_INTERNAL, "copying to or from the device failed", error);
}

us_status synchronize(const us_execution* execution) {
  const cudaError_t error = cudaStreamSynchronize(stream_of(execution));
  return error == cudaSuccess ? US_OK : fail(US_INTERNAL, "work on the device failed", error);
}

const us_backend_table table = {
    US_ABI_VERSION, available, device_name, allocate, release, copy, synchronize,
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) stem,
#include "unitscope/kernels.def"
#undef US_KERNEL
};

}  // namespace

void set_error(const char* message) {
  if (report != nullptr) report(message);
}

us_status fail(us_status status, const char* what, cudaError_t error) {
  char message[512];
  std::snprintf(message, sizeof message, "%s: %s", what, cudaGetErrorString(error));
  set_error(message);
  // What was reported is taken off the thread, or its next launch would be blamed for it.
  cudaGetLastError();
  return status;
}

us_status launched(const char* kernel) {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? US_OK : fail(US_INTERNAL, kernel, error);
}

}  // namespace us::cuda

extern "C" US_API const us_backend_table* us_cuda_backend_table(int32_t abi_version, void (*set_error)(const char* message));

const us_backend_table* us_cuda_backend_table(int32_t abi_version, void (*set_error)(const char* message)) {
  if (abi_version != US_ABI_VERSION) return nullptr;
  us::cuda::report = set_error;
  return &us::cuda::table;
}
