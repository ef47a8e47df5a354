#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ort/runtime.hpp"

namespace us::ort {

/// A file beside the model that holds weights, by the path the model calls it.
struct ExternalFile {
  std::string path;
  const void* data;
  std::size_t bytes;
};

struct LoadOptions {
  std::vector<ExternalFile> files;
  /// What the profile's path begins with; no profile is made without it.
  std::string profile;
};

struct ResultShape {
  ElementType type;
  std::vector<std::int64_t> dims;
};

/// A network that is ready to run. It is made with all optimisations, and runs on the threads of its runtime.
class LoadedSession {
 public:
  struct Input {
    std::string name;
    /// kUndefined where it is not a tensor.
    ElementType type;
  };

  /// The model and the files are read here and not needed later. Throws Failure with ONNX Runtime's code and words.
  LoadedSession(std::shared_ptr<const Runtime> runtime, const void* model, std::size_t bytes,
                const LoadOptions& options);

  const Runtime& runtime() const { return *runtime_; }
  const std::vector<Input>& inputs() const { return inputs_; }
  const std::vector<std::string>& outputs() const { return outputs_; }
  Session* get() const { return session_.get(); }

  /// Writes the profile that was asked for and gives its path; throws Failure. Not while a run is under way.
  std::string end_profile();

  /// What a call asks for: the shapes of its inputs and the outputs it wants.
  using Call = std::vector<std::int64_t>;

  /// The shapes of the results the last time the same was asked for; none where that says nothing about the next time.
  std::optional<std::vector<ResultShape>> expected(const Call& call) const;
  void remember(const Call& call, const std::vector<ResultShape>& shapes);
  /// The results' shapes depend on the values of the inputs.
  void expect_nothing(const Call& call);

 private:
  void read_inputs();
  void read_outputs();

  std::shared_ptr<const Runtime> runtime_;
  Owned<Session> session_;
  std::vector<Input> inputs_;
  std::vector<std::string> outputs_;
  bool profiled_;

  mutable std::mutex mutex_;
  std::map<Call, std::optional<std::vector<ResultShape>>> shapes_;
};

}  // namespace us::ort
