#pragma once

#include <vector>

#include <napi.h>

#include "ort/run.hpp"
#include "ort/session.hpp"

namespace us::node {

/// What a run reads, and the typed arrays that keep it alive.
struct Feeds {
  std::vector<ort::Feed> feeds;
  std::vector<Napi::ObjectReference> arrays;
};

/// The tensors of [{ input, dims, data }], not copied; an error that names the input where one does not fit.
Feeds read_feeds(const Napi::Value& from, const ort::LoadedSession& session);

/// The indices of outputs.
std::vector<std::size_t> read_outputs(const Napi::Value& from, const ort::LoadedSession& session);

/// An ArrayBuffer over memory of a pool, which goes back to it when the array is detached or collected.
Napi::Value lend(Napi::Env env, ort::Buffer buffer, std::size_t bytes);

/// [{ dims, data }], each over the result's own memory, which goes back to its pool as `lend` says.
Napi::Value to_tensors(Napi::Env env, std::vector<ort::Result>& results);

/// A whole number, read from a property.
std::int64_t read_integer(const Napi::Value& value, const char* name, std::int64_t low, std::int64_t high);

/// An array of such numbers.
std::vector<std::int64_t> read_integers(const Napi::Value& value, const char* name, std::int64_t high);

}  // namespace us::node
