#pragma once

#include <memory>
#include <string>
#include <utility>

#include <napi.h>

#include "napi/job.hpp"

namespace us::node {

/// An object of C++ in JavaScript's hands, shared with whatever works on it. `tag` marks the kind, so that no other
/// external value is taken for it.
template <typename T>
Napi::Value make_handle(Napi::Env env, std::shared_ptr<T> object, const napi_type_tag& tag) {
  auto shared = std::make_unique<std::shared_ptr<T>>(std::move(object));
  auto external = Napi::External<std::shared_ptr<T>>::New(
      env, shared.get(), [](Napi::Env /*env*/, std::shared_ptr<T>* collected) { delete collected; });
  static_cast<void>(shared.release());
  external.TypeTag(&tag);
  return external;
}

/// The object of a handle that is a property; an error if it is something else.
template <typename T>
std::shared_ptr<T>& handle_in(const Napi::Object& from, const char* name, const napi_type_tag& tag) {
  const Napi::Value value = from.Get(name);
  if (value.IsExternal()) {
    const auto external = value.As<Napi::External<std::shared_ptr<T>>>();
    if (external.CheckTypeTag(&tag)) return *external.Data();
  }
  throw make_error(from.Env(), US_INVALID_ARGUMENT, std::string(name) + " must be a handle of the addon");
}

}  // namespace us::node
