#include <string>

#include <napi.h>

#include "napi/bindings.hpp"
#include "napi/runtime.hpp"

namespace us::node {
namespace {

using Bind = std::unique_ptr<Job> (*)(Arguments& from);

std::unique_ptr<Job> make_job(const Napi::CallbackInfo& info, Bind bind) {
  Arguments from(info);
  std::unique_ptr<Job> job = bind(from);
  from.give_to(*job);
  return job;
}

template <Bind bind>
Napi::Value call_later(const Napi::CallbackInfo& info) {
  return run_later(info.Env(), make_job(info, bind));
}

template <Bind bind>
Napi::Value call_now(const Napi::CallbackInfo& info) {
  return run_now(info.Env(), *make_job(info, bind));
}

/// "maxPool" for "max_pool".
std::string camel_case(const char* stem) {
  std::string name;
  bool raise = false;
  for (const char* at = stem; *at != '\0'; ++at) {
    if (*at == '_') {
      raise = true;
      continue;
    }
    name += raise ? static_cast<char>(*at - 'a' + 'A') : *at;
    raise = false;
  }
  return name;
}

/// [{ name, available, device, reason, kernels: [name] }] in the order of the enum us_backend.
Napi::Value backends(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array list = Napi::Array::New(env, US_BACKEND_COUNT);
  for (int index = 0; index < US_BACKEND_COUNT; ++index) {
    const auto backend = static_cast<us_backend>(index);
    const bool available = us_backend_available(backend) == US_OK;
    const std::string reason = available ? "" : us_last_error_message();
    Napi::Array kernels = Napi::Array::New(env);
    for (int kernel = 0; kernel < US_KERNEL_COUNT; ++kernel) {
      if (us_backend_supports(backend, static_cast<us_kernel>(kernel)) != US_OK) continue;
      kernels.Set(kernels.Length(), camel_case(us_kernel_name(static_cast<us_kernel>(kernel))));
    }
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", us_backend_name(backend));
    entry.Set("available", available);
    entry.Set("device", us_backend_device(backend));
    entry.Set("reason", reason);
    entry.Set("kernels", kernels);
    list.Set(static_cast<std::uint32_t>(index), entry);
  }
  return list;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("abiVersion", Napi::Number::New(env, us_abi_version()));
  exports.Set("backends", Napi::Function::New(env, backends, "backends"));
  exports.Set("allocate", Napi::Function::New(env, allocate_memory, "allocate"));
  exports.Set("free", Napi::Function::New(env, free_memory, "free"));
  exports.Set("upload", Napi::Function::New(env, call_later<bind_upload>, "upload"));
  exports.Set("uploadSync", Napi::Function::New(env, call_now<bind_upload>, "uploadSync"));
  exports.Set("download", Napi::Function::New(env, call_later<bind_download>, "download"));
  exports.Set("downloadSync", Napi::Function::New(env, call_now<bind_download>, "downloadSync"));
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS)                                                          \
  exports.Set(camel_case(#stem), Napi::Function::New(env, call_later<bind_##stem>, camel_case(#stem)));      \
  exports.Set(camel_case(#stem) + "Sync", Napi::Function::New(env, call_now<bind_##stem>, camel_case(#stem) + "Sync"));
#include "unitscope/kernels.def"
#undef US_KERNEL
  add_runtime(env, exports);
  return exports;
}

}  // namespace
}  // namespace us::node

static Napi::Object initialize_addon(Napi::Env env, Napi::Object exports) { return us::node::initialize(env, exports); }

NODE_API_MODULE(unitscope, initialize_addon)
