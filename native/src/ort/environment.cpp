#include "ort/environment.hpp"

#include <string>

#include "ort/model_bytes.hpp"

namespace us::ort {
namespace {

Owned<Env> make_environment(const Api& api, int threads) {
  const Owned<ThreadingOptions> options = make(api, api.ReleaseThreadingOptions, api.CreateThreadingOptions);
  check(api, api.SetGlobalIntraOpNumThreads(options.get(), threads));
  // Graphs are run node after node.
  check(api, api.SetGlobalInterOpNumThreads(options.get(), 1));
  check(api, api.SetGlobalSpinControl(options.get(), 0));
  return make(api, api.ReleaseEnv, api.CreateEnvWithGlobalThreadPools, kFatal, "unitscope",
              static_cast<const ThreadingOptions*>(options.get()));
}

}  // namespace

Environment::Environment(const Api& api, int threads)
    : api_(api), threads_(threads), env_(make_environment(api, threads)), shares_threads_(has_shared_threads()) {}

/// An environment that was there before is given back as it is, with a status that is fine. Only a session that wants
/// the shared threads is told that there are none.
bool Environment::has_shared_threads() const {
  const std::string model = ModelWriter()
                                .input("x", {1})
                                .node({"Relu", {"x"}, {"y"}})
                                .output("y", {1})
                                .bytes();
  const Owned<SessionOptions> options = options_on(true);
  try {
    make(api_, api_.ReleaseSession, api_.CreateSessionFromArray, get(), static_cast<const void*>(model.data()),
         model.size(), static_cast<const SessionOptions*>(options.get()));
  } catch (const Failure&) {
    return false;
  }
  return true;
}

Owned<SessionOptions> Environment::options_on(bool shared_threads) const {
  Owned<SessionOptions> options = make(api_, api_.ReleaseSessionOptions, api_.CreateSessionOptions);
  check(api_, api_.SetSessionLogSeverityLevel(options.get(), kFatal));
  check(api_, api_.SetInterOpNumThreads(options.get(), 1));
  if (shared_threads) {
    check(api_, api_.DisablePerSessionThreads(options.get()));
  } else {
    check(api_, api_.SetIntraOpNumThreads(options.get(), threads_));
    check(api_, api_.AddSessionConfigEntry(options.get(), "session.intra_op.allow_spinning", "0"));
  }
  return options;
}

}  // namespace us::ort
