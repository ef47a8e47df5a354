#include "ort/runtime.hpp"

#include "ort/custom_operator.hpp"

namespace us::ort {
namespace {

/// Room for the results of some runs of a large batch; more lies idle sooner than it helps.
constexpr std::size_t kPoolLimit = std::size_t{256} << 20;

}  // namespace

Runtime::Runtime(const std::string& library, int threads)
    : library_(library),
      threads_(threads),
      environment_(api(), threads),
      domain_(make(api(), api().ReleaseCustomOpDomain, api().CreateCustomOpDomain, kDomain)),
      memory_(make(api(), api().ReleaseMemoryInfo, api().CreateCpuMemoryInfo, kDeviceAllocator, kMemoryDefault)),
      pool_(std::make_shared<BufferPool>(kPoolLimit)) {
  for (const CustomOp* const each : custom_operators(api(), kApiVersion)) {
    check(api(), api().CustomOpDomain_Add(domain_.get(), each));
  }
}

}  // namespace us::ort
