#include "ort/session.hpp"

#include <limits>
#include <utility>

namespace us::ort {
namespace {

/// Shapes that come and go, as the last part of a data set does, are few; a caller that gives another size each time
/// shall not fill the memory with them.
constexpr std::size_t kMostCalls = 64;

void add_files(const Api& api, SessionOptions* options, const std::vector<ExternalFile>& files) {
  if (files.empty()) return;
  std::vector<std::basic_string<PathCharacter>> paths;
  std::vector<const PathCharacter*> path_pointers;
  std::vector<char*> buffers;
  std::vector<std::size_t> sizes;
  paths.reserve(files.size());
  for (const ExternalFile& file : files) {
    paths.emplace_back(file.path.begin(), file.path.end());
    path_pointers.push_back(paths.back().c_str());
    // Declared as memory that may be changed, and only read.
    buffers.push_back(const_cast<char*>(static_cast<const char*>(file.data)));
    sizes.push_back(file.bytes);
  }
  check(api, api.AddExternalInitializersFromFilesInMemory(options, path_pointers.data(), buffers.data(), sizes.data(),
                                                          files.size()));
}

Owned<Session> make_session(const Runtime& runtime, const void* model, std::size_t bytes, const LoadOptions& options) {
  // ONNX Runtime counts a model's bytes in an int.
  if (bytes > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw Failure("a model of more than 2 GB must keep its weights in other files", kInvalidArgument);
  }
  const Api& api = runtime.api();
  const Owned<SessionOptions> settings = runtime.environment().session_options();
  check(api, api.SetSessionGraphOptimizationLevel(settings.get(), kEnableAll));
  check(api, api.EnableCpuMemArena(settings.get()));
  check(api, api.EnableMemPattern(settings.get()));
  check(api, api.AddCustomOpDomain(settings.get(), runtime.domain()));
  add_files(api, settings.get(), options.files);
  if (!options.profile.empty()) {
    const std::basic_string<PathCharacter> prefix(options.profile.begin(), options.profile.end());
    check(api, api.EnableProfiling(settings.get(), prefix.c_str()));
  }
  return make(api, api.ReleaseSession, api.CreateSessionFromArray, runtime.environment().get(), model, bytes,
              static_cast<const SessionOptions*>(settings.get()));
}

ElementType type_of_input(const Api& api, const Session* session, std::size_t index) {
  const Owned<TypeInfo> info = make(api, api.ReleaseTypeInfo, api.SessionGetInputTypeInfo, session, index);
  const TensorTypeAndShapeInfo* tensor = nullptr;
  check(api, api.CastTypeInfoToTensorInfo(info.get(), &tensor));
  if (tensor == nullptr) return kUndefined;
  ElementType type = kUndefined;
  check(api, api.GetTensorElementType(tensor, &type));
  return type;
}

}  // namespace

LoadedSession::LoadedSession(std::shared_ptr<const Runtime> runtime, const void* model, std::size_t bytes,
                             const LoadOptions& options)
    : runtime_(std::move(runtime)),
      session_(make_session(*runtime_, model, bytes, options)),
      profiled_(!options.profile.empty()) {
  read_inputs();
  read_outputs();
}

void LoadedSession::read_inputs() {
  const Api& api = runtime_->api();
  const Session* const session = session_.get();
  std::size_t count = 0;
  check(api, api.SessionGetInputCount(session, &count));
  for (std::size_t i = 0; i < count; ++i) {
    inputs_.push_back({take_text(api, api.SessionGetInputName, session, i), type_of_input(api, session, i)});
  }
}

void LoadedSession::read_outputs() {
  const Api& api = runtime_->api();
  const Session* const session = session_.get();
  std::size_t count = 0;
  check(api, api.SessionGetOutputCount(session, &count));
  for (std::size_t i = 0; i < count; ++i) outputs_.push_back(take_text(api, api.SessionGetOutputName, session, i));
}

std::string LoadedSession::end_profile() {
  if (!profiled_) throw Failure("no profile was asked for when the network was loaded, or it has ended");
  profiled_ = false;
  return take_text(runtime_->api(), runtime_->api().SessionEndProfiling, session_.get());
}

std::optional<std::vector<ResultShape>> LoadedSession::expected(const Call& call) const {
  const std::lock_guard lock(mutex_);
  const auto found = shapes_.find(call);
  return found == shapes_.end() ? std::nullopt : found->second;
}

void LoadedSession::remember(const Call& call, const std::vector<ResultShape>& shapes) {
  const std::lock_guard lock(mutex_);
  if (shapes_.size() >= kMostCalls) shapes_.clear();
  // What has once been found to change is not expected again.
  shapes_.emplace(call, shapes);
}

void LoadedSession::expect_nothing(const Call& call) {
  const std::lock_guard lock(mutex_);
  shapes_[call] = std::nullopt;
}

}  // namespace us::ort
