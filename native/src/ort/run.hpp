#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ort/buffer_pool.hpp"
#include "ort/session.hpp"

namespace us::ort {

/// A tensor in the caller's memory, of the type of the session's input of that index.
struct Feed {
  std::size_t input;
  const void* data;
  std::size_t bytes;
  std::vector<std::int64_t> dims;
};

struct Result {
  ResultShape shape;
  std::size_t bytes;
  Buffer buffer;
};

/// One run of a session. Made and executed on any thread; the memory of the feeds must stay and stay as it is until
/// execute() has returned.
class Run {
 public:
  /// `outputs` are indices of the session's outputs. Throws Failure.
  Run(std::shared_ptr<LoadedSession> session, std::vector<Feed> feeds, std::vector<std::size_t> outputs);

  /// The wanted outputs in their order; throws Failure. Once.
  std::vector<Result> execute();

  /// From any thread, at any time: execute() ends soon with a Failure, at the latest when the node it is at has run.
  void terminate() noexcept;
  bool is_terminated() const { return terminated_; }

 private:
  std::vector<Result> execute_into(const std::vector<ResultShape>& shapes);
  std::vector<Result> execute_and_copy();
  void call(Value** results);

  const Api& api_;
  std::shared_ptr<LoadedSession> session_;
  std::vector<Feed> feeds_;
  std::vector<std::size_t> outputs_;
  Owned<RunOptions> options_;
  std::atomic<bool> terminated_{false};
};

}  // namespace us::ort
