#include "ort/computation.hpp"

#include <algorithm>
#include <mutex>

#include "ort/owned.hpp"

namespace us::ort {
namespace {

// Handing a range out costs about a microsecond, moving 64 KB through memory several.
constexpr std::int64_t kRangeBytes = 64 << 10;
// More would only be handed out one by one.
constexpr std::int64_t kMostRanges = 256;

struct SharedWork {
  const RangeWork& work;
  std::int64_t items;
  std::int64_t ranges;
  std::mutex mutex;
  bool failed = false;
  std::string message;

  void run(std::int64_t range) noexcept {
    // The quotient first: items * ranges may be too large.
    const std::int64_t each = items / ranges;
    const std::int64_t longer = items % ranges;
    const std::int64_t begin = range * each + std::min(range, longer);
    const std::int64_t end = begin + each + (range < longer ? 1 : 0);
    if (work(begin, end) == US_OK) return;
    const std::lock_guard<std::mutex> lock(mutex);
    if (failed) return;
    failed = true;
    try {
      message = us_last_error_message();
    } catch (...) {
      message.clear();
    }
  }
};

}  // namespace

std::int64_t element_count(const Dims& dims) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  return count;
}

void refuse(const std::string& message) { throw Failure(message, kInvalidArgument); }

void require_same_dims(const TensorView& dy, const TensorView& y) {
  if (y.dims != dy.dims) refuse("dy is " + text_of(dy.dims) + ", not " + text_of(y.dims) + " as y");
}

void require_blocks(const char* name, const Dims& dims, std::int64_t block) {
  if (dims[1] % block == 0) return;
  const std::string multiple = " must be a multiple of the block " + std::to_string(block);
  refuse(std::string("the channels of ") + name + " " + text_of(dims) + multiple);
}

TensorView Computation::input(std::size_t index) const {
  const Value* value = nullptr;
  check(api_, api_.KernelContext_GetInput(context_, index, &value));
  if (value == nullptr) refuse("input " + std::to_string(index) + " is missing");
  const auto info = make(api_, api_.ReleaseTensorTypeAndShapeInfo, api_.GetTensorTypeAndShape, value);
  std::size_t rank = 0;
  check(api_, api_.GetDimensionsCount(info.get(), &rank));
  TensorView tensor;
  tensor.dims.resize(rank);
  if (rank > 0) check(api_, api_.GetDimensions(info.get(), tensor.dims.data(), rank));
  void* data = nullptr;
  // The interface has no way to read that promises not to write.
  check(api_, api_.GetTensorMutableData(const_cast<Value*>(value), &data));
  tensor.data = static_cast<const float*>(data);
  return tensor;
}

float* Computation::output(std::size_t index, const Dims& dims) const {
  Value* value = nullptr;
  check(api_, api_.KernelContext_GetOutput(context_, index, dims.data(), dims.size(), &value));
  if (value == nullptr) return nullptr;
  void* data = nullptr;
  check(api_, api_.GetTensorMutableData(value, &data));
  return static_cast<float*>(data);
}

void Computation::share(std::int64_t items, std::int64_t bytes, const RangeWork& work) const {
  if (items == 0) return;
  const std::int64_t each = std::max<std::int64_t>(kRangeBytes / std::max<std::int64_t>(bytes, 1), 1);
  const std::int64_t ranges = std::min(std::max<std::int64_t>(items / each, 1), kMostRanges);
  SharedWork shared{work, items, ranges, {}, false, {}};
  if (ranges == 1) {
    shared.run(0);
  } else {
    const auto run = [](void* data, std::size_t range) {
      static_cast<SharedWork*>(data)->run(static_cast<std::int64_t>(range));
    };
    check(api_, api_.KernelContext_ParallelFor(context_, run, static_cast<std::size_t>(ranges), 0, &shared));
  }
  if (shared.failed) throw Failure(shared.message);
}

void Computation::share_in_steps(std::int64_t items, std::int64_t step, std::int64_t bytes,
                                 const RangeWork& work) const {
  share(ceil_divide(items, step), bytes * step, [&](std::int64_t begin, std::int64_t end) {
    return work(begin * step, std::min(end * step, items));
  });
}

const cpu::KernelSet& signal_kernels() {
  const cpu::KernelSet* const kernels = cpu::chosen_kernels();
  if (kernels == nullptr) throw Failure(us_last_error_message());
  return *kernels;
}

}  // namespace us::ort
