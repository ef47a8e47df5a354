#include "ort/run.hpp"

#include <cstring>
#include <string>
#include <utility>

#include "ort/elements.hpp"

namespace us::ort {
namespace {

Owned<RunOptions> make_options(const Api& api) {
  Owned<RunOptions> options = make(api, api.ReleaseRunOptions, api.CreateRunOptions);
  check(api, api.RunOptionsSetRunLogSeverityLevel(options.get(), kFatal));
  return options;
}

Owned<Value> make_value(const Runtime& runtime, const void* data, std::size_t bytes, const ResultShape& shape) {
  // A tensor without elements still wants an address.
  static char nothing = 0;
  void* const memory = bytes == 0 ? &nothing : const_cast<void*>(data);
  const Api& api = runtime.api();
  return make(api, api.ReleaseValue, api.CreateTensorWithDataAsOrtValue, runtime.memory(), memory, bytes,
              shape.dims.data(), shape.dims.size(), shape.type);
}

ResultShape shape_of(const Api& api, const Value* value, const std::string& name) {
  int is_tensor = 0;
  check(api, api.IsTensor(value, &is_tensor));
  if (is_tensor == 0) throw Failure("the output \"" + name + "\" is not a tensor", kNotImplemented);
  const Owned<TensorTypeAndShapeInfo> info =
      make(api, api.ReleaseTensorTypeAndShapeInfo, api.GetTensorTypeAndShape, value);
  ResultShape shape{kUndefined, {}};
  check(api, api.GetTensorElementType(info.get(), &shape.type));
  if (size_of(shape.type) == 0) {
    throw Failure("the output \"" + name + "\" has elements of type " + name_of(shape.type), kNotImplemented);
  }
  std::size_t rank = 0;
  check(api, api.GetDimensionsCount(info.get(), &rank));
  shape.dims.resize(rank);
  check(api, api.GetDimensions(info.get(), shape.dims.data(), rank));
  return shape;
}

LoadedSession::Call describe(const std::vector<Feed>& feeds, const std::vector<std::size_t>& outputs) {
  LoadedSession::Call call;
  for (const Feed& feed : feeds) {
    call.push_back(static_cast<std::int64_t>(feed.input));
    call.push_back(static_cast<std::int64_t>(feed.dims.size()));
    call.insert(call.end(), feed.dims.begin(), feed.dims.end());
  }
  call.push_back(-1);
  for (const std::size_t output : outputs) call.push_back(static_cast<std::int64_t>(output));
  return call;
}

std::vector<ResultShape> shapes_of(const std::vector<Result>& results) {
  std::vector<ResultShape> shapes;
  shapes.reserve(results.size());
  for (const Result& result : results) shapes.push_back(result.shape);
  return shapes;
}

}  // namespace

Run::Run(std::shared_ptr<LoadedSession> session, std::vector<Feed> feeds, std::vector<std::size_t> outputs)
    : api_(session->runtime().api()),
      session_(std::move(session)),
      feeds_(std::move(feeds)),
      outputs_(std::move(outputs)),
      options_(make_options(api_)) {
  for (const Feed& feed : feeds_) {
    const LoadedSession::Input& input = session_->inputs().at(feed.input);
    const std::size_t wanted = bytes_of(input.type, feed.dims);
    if (size_of(input.type) == 0 || feed.bytes != wanted) {
      throw Failure("the tensor for \"" + input.name + "\" has " + std::to_string(feed.bytes) +
                        " bytes, its shape needs " + std::to_string(wanted),
                    kInvalidArgument);
    }
  }
  for (const std::size_t output : outputs_) static_cast<void>(session_->outputs().at(output));
}

std::vector<Result> Run::execute() {
  const LoadedSession::Call call = describe(feeds_, outputs_);
  if (const auto shapes = session_->expected(call)) {
    try {
      return execute_into(*shapes);
    } catch (const Failure&) {
      if (terminated_) throw;
      // The results may have other shapes this time; what was really wrong is wrong again.
      std::vector<Result> results = execute_and_copy();
      session_->expect_nothing(call);
      return results;
    }
  }
  std::vector<Result> results = execute_and_copy();
  session_->remember(call, shapes_of(results));
  return results;
}

void Run::terminate() noexcept {
  terminated_ = true;
  // Fails for want of memory only, and then the run goes on to its end.
  Status* const status = api_.RunOptionsSetTerminate(options_.get());
  if (status != nullptr) api_.ReleaseStatus(status);
}

/// Straight into memory of the pool.
std::vector<Result> Run::execute_into(const std::vector<ResultShape>& shapes) {
  std::vector<Result> results;
  std::vector<Owned<Value>> values;
  std::vector<Value*> pointers;
  for (const ResultShape& shape : shapes) {
    const std::size_t bytes = bytes_of(shape.type, shape.dims);
    results.push_back({shape, bytes, session_->runtime().pool().take(bytes)});
    values.push_back(make_value(session_->runtime(), results.back().buffer.data(), bytes, shape));
    pointers.push_back(values.back().get());
  }
  call(pointers.data());
  return results;
}

/// Into ONNX Runtime's memory, since the shapes of the results are not known before.
std::vector<Result> Run::execute_and_copy() {
  std::vector<Value*> pointers(outputs_.size(), nullptr);
  call(pointers.data());
  std::vector<Owned<Value>> values;
  values.reserve(pointers.size());
  for (Value* const pointer : pointers) values.emplace_back(pointer, Release<Value>{api_.ReleaseValue});
  std::vector<Result> results;
  for (std::size_t i = 0; i < values.size(); ++i) {
    ResultShape shape = shape_of(api_, values[i].get(), session_->outputs()[outputs_[i]]);
    const std::size_t bytes = bytes_of(shape.type, shape.dims);
    void* data = nullptr;
    check(api_, api_.GetTensorMutableData(values[i].get(), &data));
    results.push_back({std::move(shape), bytes, session_->runtime().pool().take(bytes)});
    if (bytes > 0) std::memcpy(results.back().buffer.data(), data, bytes);
  }
  return results;
}

void Run::call(Value** results) {
  if (terminated_) throw Failure("the run was ended before it began");
  std::vector<Owned<Value>> values;
  std::vector<const Value*> inputs;
  std::vector<const char*> input_names;
  for (const Feed& feed : feeds_) {
    const LoadedSession::Input& input = session_->inputs()[feed.input];
    values.push_back(make_value(session_->runtime(), feed.data, feed.bytes, {input.type, feed.dims}));
    inputs.push_back(values.back().get());
    input_names.push_back(input.name.c_str());
  }
  std::vector<const char*> output_names;
  output_names.reserve(outputs_.size());
  for (const std::size_t output : outputs_) output_names.push_back(session_->outputs()[output].c_str());
  check(api_, api_.Run(session_->get(), options_.get(), input_names.data(), inputs.data(), inputs.size(),
                       output_names.data(), output_names.size(), results));
}

}  // namespace us::ort
