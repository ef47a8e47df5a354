#pragma once

#include "ort/owned.hpp"

namespace us::ort {

/// ONNX Runtime's environment, of which a process has one: who asks first decides about it.
///
/// Ours has one pool of threads for all sessions. Where somebody else made the environment without one, each session
/// gets a pool of its own.
///
/// Waiting threads do not spin. Spinning makes a small network 2 to 3 % faster where the cores have nothing else to do,
/// and half as fast where they have: the threads of a run then wait for one that a spinning thread keeps from running.
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
