#include "unitscope/iou_counts.h"

#include "device.cuh"
#include "kernels.cuh"

namespace us::cuda {
namespace {

/// Concepts that one block counts in shared memory; more are counted in device memory.
constexpr int kSharedConcepts = 8192;

struct Labels {
  us_iou_params params;
  const std::int32_t* pixel;
  const std::int32_t* image;

  __device__ bool is_label(int label) const { return label > 0 && label < params.concepts; }

  /// Whether label `index` of the image was not among the labels before it.
  __device__ bool is_first_of_image(std::int64_t image_index, int index) const {
    const std::int32_t* const from = image + image_index * params.image_labels;
    for (int i = 0; i < index; ++i) {
      if (from[i] == from[index]) return false;
    }
    return is_label(from[index]);
  }

  /// The pixel's label in a layer, or 0 if the image or an earlier layer gives it too: labels of a pixel are a set.
  __device__ int at(std::int64_t image_index, int layer, std::int64_t place) const {
    const std::int64_t pixels = static_cast<std::int64_t>(params.out_height) * params.out_width;
    const std::int32_t* const from = pixel + image_index * params.layers * pixels + place;
    const int label = __ldg(from + layer * pixels);
    if (!is_label(label)) return 0;
    for (int i = 0; i < layer; ++i) {
      if (__ldg(from + i * pixels) == label) return 0;
    }
    for (int i = 0; i < params.image_labels; ++i) {
      if (__ldg(image + image_index * params.image_labels + i) == label) return 0;
    }
    return label;
  }
};

/// Additions of integers give the same sum in any order, so atomic ones leave the result deterministic.
__device__ void add(std::int64_t* to, std::int64_t value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(to), static_cast<unsigned long long>(value));
}

/// One block for each image: counts its labels and marks its categories.
__global__ void labels_kernel(Labels labels, const std::int32_t* __restrict__ category_of, std::int64_t* label_pixels,
                              std::uint8_t* present) {
  const us_iou_params& params = labels.params;
  const std::int64_t image = blockIdx.x;
  const std::int64_t pixels = static_cast<std::int64_t>(params.out_height) * params.out_width;
  std::uint8_t* const marks = present + image * params.categories;
  const auto count = [&](int label, std::int64_t amount) {
    add(label_pixels + label, amount);
    const int category = category_of[label];
    if (category >= 0 && category < params.categories) marks[category] = 1;
  };
  for (int layer = 0; layer < params.layers; ++layer) {
    for (std::int64_t place = threadIdx.x; place < pixels; place += blockDim.x) {
      const int label = labels.at(image, layer, place);
      // Neighbouring pixels mostly carry one label: the warp adds once for each that it holds.
      const unsigned active = __activemask();
      const unsigned same = __match_any_sync(active, label);
      const bool leads = static_cast<int>(threadIdx.x % 32) == __ffs(static_cast<int>(same)) - 1;
      if (label != 0 && leads) count(label, __popc(same));
    }
  }
  for (int i = static_cast<int>(threadIdx.x); i < params.image_labels; i += static_cast<int>(blockDim.x)) {
    if (labels.is_first_of_image(image, i)) count(labels.image[image * params.image_labels + i], pixels);
  }
}

/// Where a pixel reads the map along one axis; a cell outside it is a zero.
struct Place {
  int first;
  int second;
  double first_weight;
  double second_weight;
};

__device__ Place place_of(int pixel, int cells, double origin, double step, bool clamp) {
  double at = (static_cast<double>(pixel) - origin) / step;
  const double low = clamp ? 0 : -1;
  const double high = clamp ? cells - 1 : cells;
  at = at < low ? low : at;
  at = at > high ? high : at;
  const double cell = floor(at);
  const double fraction = at - cell;
  const bool alone = fraction == 0;
  const int first = static_cast<int>(cell);
  return {first, alone ? first : first + 1, alone ? 0.5 : 1 - fraction, alone ? 0.5 : fraction};
}

__device__ std::int64_t sum_of_block(std::int64_t value, std::int64_t* parts) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(0xffffffffU, value, offset);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  std::int64_t sum = 0;
  for (int warp = 0; warp < kThreads / 32; ++warp) sum += parts[warp];
  __syncthreads();
  return sum;
}

/// One block for each unit, over all images, so that its counts belong to it alone.
__global__ void units_kernel(Labels labels, const float* __restrict__ x, const double* __restrict__ thresholds,
                             const std::uint8_t* __restrict__ present, bool shared, std::int64_t* intersection,
                             std::int64_t* category_area, std::int64_t* area) {
  int* const histogram = dynamic_shared<int>();
  __shared__ std::int64_t parts[kThreads / 32];
  const us_iou_params& params = labels.params;
  const std::int64_t unit = blockIdx.x;
  const double threshold = thresholds[unit];
  const bool clamp = params.edge == US_IOU_EDGE_CLAMP;
  std::int64_t* const counts = intersection + unit * params.concepts;
  const std::int64_t pixels = static_cast<std::int64_t>(params.out_height) * params.out_width;
  std::int64_t total = 0;
  for (std::int64_t image = 0; image < params.images; ++image) {
    const float* const map = x + (image * params.units + unit) * params.height * params.width;
    const auto cell = [&](int row, int column) {
      const bool there = row >= 0 && row < params.height && column >= 0 && column < params.width;
      return there ? static_cast<double>(__ldg(map + static_cast<std::int64_t>(row) * params.width + column)) : 0.0;
    };
    if (shared) {
      for (int i = static_cast<int>(threadIdx.x); i < params.concepts; i += kThreads) histogram[i] = 0;
      __syncthreads();
    }
    std::int64_t mine = 0;
    for (std::int64_t place = threadIdx.x; place < pixels; place += kThreads) {
      const Place y = place_of(static_cast<int>(place / params.out_width), params.height, params.origin[0], params.step[0], clamp);
      const Place c = place_of(static_cast<int>(place % params.out_width), params.width, params.origin[1], params.step[1], clamp);
      const double left = y.first_weight * cell(y.first, c.first) + y.second_weight * cell(y.second, c.first);
      const double right = y.first_weight * cell(y.first, c.second) + y.second_weight * cell(y.second, c.second);
      if (!(c.first_weight * left + c.second_weight * right > threshold)) continue;
      ++mine;
      // Only the pixels of the mask come here.
      for (int layer = 0; layer < params.layers; ++layer) {
        const int label = labels.at(image, layer, place);
        if (label == 0) continue;
        if (shared) {
          atomicAdd(histogram + label, 1);
        } else {
          add(counts + label, 1);
        }
      }
    }
    const std::int64_t sum = sum_of_block(mine, parts);
    total += sum;
    if (shared) {
      for (int i = static_cast<int>(threadIdx.x); i < params.concepts; i += kThreads) {
        if (histogram[i] != 0) counts[i] += histogram[i];
      }
      __syncthreads();
    }
    for (int i = static_cast<int>(threadIdx.x); i < params.image_labels; i += kThreads) {
      if (labels.is_first_of_image(image, i)) counts[labels.image[image * params.image_labels + i]] += sum;
    }
    for (int i = static_cast<int>(threadIdx.x); i < params.categories; i += kThreads) {
      if (present[image * params.categories + i] != 0) category_area[unit * params.categories + i] += sum;
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) area[unit] += total;
}

}  // namespace

us_status iou_counts(const us_execution* execution, const us_iou_params* params, const float* x, const double* thresholds,
                     const int32_t* pixel_labels, const int32_t* image_labels, const int32_t* category_of,
                     int64_t* intersection, int64_t* label_pixels, int64_t* category_area, int64_t* area) {
  if (params->images == 0) return US_OK;
  if (params->images > 0x7fffffff || static_cast<std::int64_t>(params->out_height) * params->out_width > 0x7fffffff) {
    set_error("iou_counts: more than 2^31 - 1 images or label pixels of an image; cut the batch");
    return US_UNSUPPORTED;
  }
  const cudaStream_t stream = stream_of(execution);
  const Labels labels{*params, pixel_labels, image_labels};
  const std::size_t bytes = static_cast<std::size_t>(params->images) * static_cast<std::size_t>(params->categories) + 1;
  void* present = nullptr;
  cudaError_t error = cudaMallocAsync(&present, bytes, stream);
  if (error != cudaSuccess) return fail(US_OUT_OF_MEMORY, "device memory cannot be allocated", error);
  error = cudaMemsetAsync(present, 0, bytes, stream);
  us_status status = error == cudaSuccess ? US_OK : fail(US_INTERNAL, "device memory cannot be cleared", error);
  if (status == US_OK) {
    launch(labels_kernel, static_cast<unsigned>(params->images), kThreads, 0, stream, labels, category_of,
           label_pixels, static_cast<std::uint8_t*>(present));
    status = launched("iou_counts: labels");
  }
  if (status == US_OK && params->units > 0) {
    const bool shared = params->concepts <= kSharedConcepts;
    const std::size_t shared_bytes = shared ? static_cast<std::size_t>(params->concepts) * sizeof(int) : 0;
    launch(units_kernel, static_cast<unsigned>(params->units), kThreads, shared_bytes, stream, labels, x, thresholds,
           static_cast<const std::uint8_t*>(present), shared, intersection, category_area, area);
    status = launched("iou_counts");
  }
  error = cudaFreeAsync(present, stream);
  return status == US_OK && error != cudaSuccess ? fail(US_INTERNAL, "device memory cannot be freed", error) : status;
}

}  // namespace us::cuda
