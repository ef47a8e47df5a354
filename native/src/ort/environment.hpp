#pragma once

#include "ort/owned.hpp"

namespace us::ort {

/// ONNX Runtime's environment, of which a process has one: who asks first decides about it.
///
/// Ours has one pool of threads for all sessions, which spins while there is work: many sessions with spinning pools of
/// their own take the cores from each other. Where somebody else made the environment without such a pool, sessions get
/// pools of their own that do not spin.
class Environment {
 public:
  /// `threads` is what one run uses, the calling thread included. Throws Failure.
  Environment(const Api& api, int threads);

  /// Options for a session on this environment's threads that says nothing on stderr; throws Failure.
  Owned<SessionOptions> session_options() const { return options_on(shares_threads_); }

  const Env* get() const { return env_.get(); }
  bool shares_threads() const { return shares_threads_; }

 private:
  Owned<SessionOptions> options_on(bool shared_threads) const;
  bool has_shared_threads() const;

  const Api& api_;
  int threads_;
  Owned<Env> env_;
  bool shares_threads_;
};

}  // namespace us::ort
