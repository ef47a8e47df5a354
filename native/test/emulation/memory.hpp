#pragma once

#include <cstddef>
#include <string>

namespace us::emulation {

/// Device memory ends at a page that cannot be touched, and so does what lies before it; fresh memory is NaN, freed
/// memory cannot be touched, and outside a kernel none of it can.
void* allocate(std::size_t bytes);
void release(void* memory);

/// Ends the process unless the bytes lie in one live allocation.
void require_device_memory(const void* start, std::size_t bytes, const char* what);

/// Ends the process if anything was written between an allocation and its pages.
void check_margins();

/// Opens all device memory for as long as it lives.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace us::emulation
