// The entry of libunitscope_onnxruntime, which ONNX Runtime calls when a program registers the library's operators.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "ort/custom_operator.hpp"
#include "ort/owned.hpp"

namespace us::ort {
namespace {

/// The domain `unitscope` of one ONNX Runtime; there may be several in a process, and each has objects of its own.
struct RegisteredDomain {
  const ApiBase* base;
  CustomOpDomain* domain;
};

/// Sessions keep pointing at the domain, so it is never released.
CustomOpDomain* domain_of(const ApiBase& base, const Api& api, std::uint32_t table) {
  static std::mutex& mutex = *new std::mutex;
  static auto& domains = *new std::vector<RegisteredDomain>;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = std::find_if(domains.begin(), domains.end(), [&](const auto& each) { return each.base == &base; });
  if (found != domains.end()) return found->domain;
  auto domain = make(api, api.ReleaseCustomOpDomain, api.CreateCustomOpDomain, "unitscope");
  for (const CustomOp* const op : custom_operators(api, table)) check(api, api.CustomOpDomain_Add(domain.get(), op));
  domains.push_back({&base, domain.get()});
  return domain.release();
}

/// N of "1.N.P"; 0 for anything else.
std::uint32_t minor_version(const std::string& version) {
  if (version.compare(0, 2, "1.") != 0) return 0;
  return static_cast<std::uint32_t>(std::strtoul(version.c_str() + 2, nullptr, 10));
}

Status* register_operators(SessionOptions* options, const ApiBase* base) noexcept {
  const char* const version = base->GetVersionString();
  const std::uint32_t minor = version == nullptr ? 0 : minor_version(version);
  // Every version has a table of its own number. One that is too old serves to say so.
  const Api* const api = minor == 0 ? nullptr : base->GetApi(std::min(minor, kApiVersion));
  if (api == nullptr) {
    // Without a table there is no status to return; the model's load then fails at its first unknown operator.
    std::fprintf(stderr, "unitscope: its operators are not registered, they do not know ONNX Runtime %s\n",
                 version == nullptr ? "without a version" : version);
    return nullptr;
  }
  try {
    if (minor < kOldestApiVersion) {
      const std::string needed = "unitscope's operators need ONNX Runtime 1.18 or later, this is ";
      throw Failure(needed + version, kNotImplemented);
    }
    const std::uint32_t table = std::min(minor, kApiVersion);
    check(*api, api->AddCustomOpDomain(options, domain_of(*base, *api, table)));
    return nullptr;
  } catch (const Failure& failure) {
    return api->CreateStatus(failure.code(), failure.what());
  } catch (...) {
    return api->CreateStatus(kFail, "unitscope's operators cannot be registered: out of memory");
  }
}

}  // namespace
}  // namespace us::ort

extern "C" __attribute__((visibility("default"))) us::ort::Status* RegisterCustomOps(us::ort::SessionOptions* options,
                                                                                    const us::ort::ApiBase* base) {
  return us::ort::register_operators(options, base);
}
