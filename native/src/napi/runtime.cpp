#include "napi/runtime.hpp"

#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "napi/arguments.hpp"
#include "napi/handle.hpp"
#include "napi/runtime_tensors.hpp"
#include "napi/task_host.hpp"
#include "ort/elements.hpp"
#include "ort/self_check.hpp"

namespace us::node {
namespace {

constexpr napi_type_tag kRuntimeTag = {0x2d7b9f0146c84ae3, 0x8f61d3c9a20b75e4};
constexpr napi_type_tag kSessionTag = {0x73e0a85bd41c4f96, 0xb40d6e27f9158ca3};
constexpr napi_type_tag kRunTag = {0x1c96f42e80ad4b57, 0x95be07d83a61f2c0};

/// A runtime that was found to work.
struct OpenRuntime {
  std::shared_ptr<const ort::Runtime> runtime;
  std::optional<int> block;
};

/// A session until it is released.
struct OpenSession {
  std::shared_ptr<ort::LoadedSession> session;
};

struct OpenRequest {
  std::string library;
  int threads;
  std::vector<int> blocks;
};

/// The one runtime of a library in this process, made where there is none.
std::shared_ptr<OpenRuntime> open_runtime(const OpenRequest& request) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<OpenRuntime>> known;
  const std::lock_guard lock(mutex);
  std::weak_ptr<OpenRuntime>& entry = known[request.library];
  if (auto open = entry.lock()) return open;
  auto runtime = std::make_shared<const ort::Runtime>(request.library, request.threads);
  TaskHost::end_tasks_before_exit();
  ort::check_values(runtime);
  const std::optional<int> block = ort::find_block(runtime, request.blocks);
  auto opened = std::make_shared<OpenRuntime>(OpenRuntime{std::move(runtime), block});
  entry = opened;
  return opened;
}

class OpenTask final : public Task {
 public:
  OpenTask(Napi::Env env, OpenRequest request) : Task(env), request_(std::move(request)) {}

 protected:
  void work() override { opened_ = open_runtime(request_); }

  Napi::Value result(Napi::Env env) override {
    Napi::Object result = Napi::Object::New(env);
    result.Set("version", ort::kVersion);
    result.Set("threads", opened_->runtime->threads());
    result.Set("block", opened_->block ? Napi::Number::New(env, *opened_->block) : env.Undefined());
    result.Set("runtime", make_handle(env, std::move(opened_), kRuntimeTag));
    return result;
  }

 private:
  OpenRequest request_;
  std::shared_ptr<OpenRuntime> opened_;
};

class LoadTask final : public Task {
 public:
  LoadTask(Napi::Env env, std::shared_ptr<OpenRuntime> runtime) : Task(env), runtime_(std::move(runtime)) {}

  /// The array's bytes, which are kept until the task is gone.
  Elements keep(const char* name, const Napi::Value& value) {
    if (!value.IsTypedArray()) throw make_error(value.Env(), US_INVALID_ARGUMENT, std::string(name) + " must be bytes");
    const auto array = value.As<Napi::TypedArray>();
    const Elements bytes = elements_of(name, array);
    if (bytes.type != napi_uint8_array) {
      throw make_error(value.Env(), US_INVALID_ARGUMENT, std::string(name) + " must be a Uint8Array");
    }
    arrays_.push_back(Napi::Persistent(array.As<Napi::Object>()));
    return bytes;
  }

  Elements model{};
  ort::LoadOptions options;

 protected:
  void work() override {
    session_ = std::make_shared<ort::LoadedSession>(runtime_->runtime, model.data, model.count, options);
  }

  Napi::Value result(Napi::Env env) override {
    Napi::Array inputs = Napi::Array::New(env);
    for (const ort::LoadedSession::Input& input : session_->inputs()) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", input.name);
      entry.Set("type", ort::name_of(input.type));
      inputs.Set(inputs.Length(), entry);
    }
    Napi::Array outputs = Napi::Array::New(env);
    for (const std::string& name : session_->outputs()) outputs.Set(outputs.Length(), name);
    Napi::Object result = Napi::Object::New(env);
    result.Set("inputs", inputs);
    result.Set("outputs", outputs);
    auto open = std::make_shared<OpenSession>(OpenSession{std::move(session_)});
    result.Set("session", make_handle(env, std::move(open), kSessionTag));
    return result;
  }

 private:
  std::shared_ptr<OpenRuntime> runtime_;
  std::vector<Napi::ObjectReference> arrays_;
  std::shared_ptr<ort::LoadedSession> session_;
};

class RunTask final : public Task {
 public:
  RunTask(Napi::Env env, const std::shared_ptr<ort::LoadedSession>& session, Feeds feeds,
          std::vector<std::size_t> outputs)
      : Task(env), arrays_(std::move(feeds.arrays)), run_(session, std::move(feeds.feeds), std::move(outputs)) {}

  void cancel() noexcept override { run_.terminate(); }

 protected:
  void work() override { results_ = run_.execute(); }
  Napi::Value result(Napi::Env env) override { return to_tensors(env, results_); }

 private:
  std::vector<Napi::ObjectReference> arrays_;
  ort::Run run_;
  std::vector<ort::Result> results_;
};

/// What JavaScript holds of a run. It keeps nothing alive: the collector does not know how much a run refers to.
struct RunTicket {
  std::weak_ptr<RunTask> task;
};

/// Runs of a session that were asked for before end before, since both wait in the queue of runs.
class ProfileTask final : public Task {
 public:
  ProfileTask(Napi::Env env, std::shared_ptr<ort::LoadedSession> session) : Task(env), session_(std::move(session)) {}

 protected:
  void work() override { path_ = session_->end_profile(); }
  Napi::Value result(Napi::Env env) override { return Napi::String::New(env, path_); }

 private:
  std::shared_ptr<ort::LoadedSession> session_;
  std::string path_;
};

class ReleaseTask final : public Task {
 public:
  ReleaseTask(Napi::Env env, std::shared_ptr<ort::LoadedSession> session) : Task(env), session_(std::move(session)) {}

 protected:
  void work() override { session_.reset(); }
  Napi::Value result(Napi::Env env) override { return env.Undefined(); }

 private:
  std::shared_ptr<ort::LoadedSession> session_;
};

Napi::Object arguments_of(const Napi::CallbackInfo& info) {
  if (info.Length() == 1 && info[0].IsObject()) return info[0].As<Napi::Object>();
  throw make_error(info.Env(), US_INVALID_ARGUMENT, "one object of arguments is expected");
}

std::string text_in(const Napi::Object& from, const char* name) {
  const Napi::Value value = from.Get(name);
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  throw make_error(from.Env(), US_INVALID_ARGUMENT, std::string(name) + " must be a string");
}

std::shared_ptr<ort::LoadedSession> session_in(const Napi::Object& from) {
  std::shared_ptr<ort::LoadedSession> session = handle_in<OpenSession>(from, "session", kSessionTag)->session;
  if (session != nullptr) return session;
  throw make_error(from.Env(), US_INVALID_ARGUMENT, "the session has been released");
}

Napi::Value open_runtime_later(const Napi::CallbackInfo& info) {
  constexpr int kMostThreads = 1024;
  const Napi::Object from = arguments_of(info);
  OpenRequest request{text_in(from, "library"),
                      static_cast<int>(read_integer(from.Get("threads"), "threads", 1, kMostThreads)), {}};
  for (const std::int64_t block : read_integers(from.Get("blocks"), "blocks", 16)) {
    if (block != 8 && block != 16) throw make_error(info.Env(), US_INVALID_ARGUMENT, "blocks are 8 or 16");
    request.blocks.push_back(static_cast<int>(block));
  }
  return TaskHost::of(info.Env())
      .submit(ort::WorkQueue::loads(), std::make_shared<OpenTask>(info.Env(), std::move(request)));
}

Napi::Value load_session(const Napi::CallbackInfo& info) {
  const Napi::Object from = arguments_of(info);
  const auto task = std::make_shared<LoadTask>(info.Env(), handle_in<OpenRuntime>(from, "runtime", kRuntimeTag));
  task->model = task->keep("model", from.Get("model"));
  const Napi::Value files = from.Get("files");
  if (!files.IsArray()) throw make_error(info.Env(), US_INVALID_ARGUMENT, "files must be an array");
  for (std::uint32_t i = 0; i < files.As<Napi::Array>().Length(); ++i) {
    const Napi::Value each = files.As<Napi::Array>().Get(i);
    if (!each.IsObject()) throw make_error(info.Env(), US_INVALID_ARGUMENT, "files must be objects");
    const auto file = each.As<Napi::Object>();
    const Elements bytes = task->keep("data", file.Get("data"));
    task->options.files.push_back({text_in(file, "path"), bytes.data, bytes.count});
  }
  task->options.profile = text_in(from, "profile");
  return TaskHost::of(info.Env()).submit(ort::WorkQueue::loads(), task);
}

Napi::Value start_run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object from = arguments_of(info);
  const std::shared_ptr<ort::LoadedSession> session = session_in(from);
  Feeds feeds = read_feeds(from.Get("feeds"), *session);
  std::vector<std::size_t> outputs = read_outputs(from.Get("outputs"), *session);
  std::shared_ptr<RunTask> task;
  try {
    task = std::make_shared<RunTask>(env, session, std::move(feeds), std::move(outputs));
  } catch (const ort::Failure& failure) {
    throw make_error(env, US_INVALID_ARGUMENT, failure.what());
  }
  Napi::Object started = Napi::Object::New(env);
  started.Set("results", TaskHost::of(env).submit(ort::WorkQueue::runs(), task));
  started.Set("run", make_handle(env, std::make_shared<RunTicket>(RunTicket{task}), kRunTag));
  return started;
}

void abort_run(const Napi::CallbackInfo& info) {
  // One that has ended is gone.
  const auto task = handle_in<RunTicket>(arguments_of(info), "run", kRunTag)->task.lock();
  if (task != nullptr) task->cancel();
}

Napi::Value lend_memory(const Napi::CallbackInfo& info) {
  const Napi::Object from = arguments_of(info);
  const auto bytes = static_cast<std::size_t>(read_integer(from.Get("bytes"), "bytes", 0, kMaxSafeInteger));
  try {
    return lend(info.Env(), session_in(from)->runtime().pool().take(bytes), bytes);
  } catch (const std::bad_alloc&) {
    throw make_error(info.Env(), US_OUT_OF_MEMORY, "there is no memory for " + std::to_string(bytes) + " bytes");
  }
}

void give_back(const Napi::CallbackInfo& info) {
  const Napi::Value memory = arguments_of(info).Get("memory");
  if (!memory.IsArrayBuffer()) throw make_error(info.Env(), US_INVALID_ARGUMENT, "memory must be an ArrayBuffer");
  memory.As<Napi::ArrayBuffer>().Detach();
}

Napi::Value end_profile(const Napi::CallbackInfo& info) {
  const std::shared_ptr<ort::LoadedSession> session = session_in(arguments_of(info));
  return TaskHost::of(info.Env()).submit(ort::WorkQueue::runs(), std::make_shared<ProfileTask>(info.Env(), session));
}

Napi::Value release_session(const Napi::CallbackInfo& info) {
  const Napi::Object from = arguments_of(info);
  std::shared_ptr<ort::LoadedSession> session = session_in(from);
  handle_in<OpenSession>(from, "session", kSessionTag)->session.reset();
  return TaskHost::of(info.Env())
      .submit(ort::WorkQueue::runs(), std::make_shared<ReleaseTask>(info.Env(), std::move(session)));
}

}  // namespace

void add_runtime(Napi::Env env, Napi::Object exports) {
  exports.Set("openRuntime", Napi::Function::New(env, open_runtime_later, "openRuntime"));
  exports.Set("loadSession", Napi::Function::New(env, load_session, "loadSession"));
  exports.Set("startRun", Napi::Function::New(env, start_run, "startRun"));
  exports.Set("abortRun", Napi::Function::New(env, abort_run, "abortRun"));
  exports.Set("lendMemory", Napi::Function::New(env, lend_memory, "lendMemory"));
  exports.Set("giveBack", Napi::Function::New(env, give_back, "giveBack"));
  exports.Set("endProfile", Napi::Function::New(env, end_profile, "endProfile"));
  exports.Set("releaseSession", Napi::Function::New(env, release_session, "releaseSession"));
}

}  // namespace us::node
