#include "unitscope/iou_counts.h"

#include "core/iou_counts.hpp"
#include "cpu/iou_labels.hpp"
#include "cpu/iou_placement.hpp"
#include "cpu/isa.hpp"
#include "cpu/run_rows.hpp"

namespace us::cpu::US_ISA {
namespace {

/// How much memory the labels of the images that are counted together may take.
constexpr std::int64_t kGroupBytes = std::int64_t{4} << 20;

struct LabelCall {
  const us_iou_params* params;
  const std::int32_t* pixel_labels;
  const std::int32_t* image_labels;
  const std::int32_t* category_of;
  ImageLabels* labels;
};

/// One item is the labels of one image.
class LabelWorker {
 public:
  explicit LabelWorker(const LabelCall& call) : call_(call) {}
  void layout(Arena& /*arena*/) {}

  us_status run(std::int64_t begin, std::int64_t end) const {
    const us_iou_params& params = *call_.params;
    const std::int64_t image_size = static_cast<std::int64_t>(params.out_height) * params.out_width * params.layers;
    for (std::int64_t image = begin; image < end; ++image) {
      call_.labels[image].load(params, call_.pixel_labels + image * image_size,
                               call_.image_labels + image * params.image_labels, call_.category_of);
    }
    return US_OK;
  }

 private:
  const LabelCall& call_;
};

struct UnitCall {
  const us_iou_params* params;
  const AxisPlacement* vertical;
  const AxisPlacement* horizontal;
  const float* x;
  const double* thresholds;
  const ImageLabels* labels;
  std::int64_t images;
  std::int64_t* intersection;
  std::int64_t* category_area;
  std::int64_t* area;
};

/// One item is one unit over all images of the group, so that no two threads add to one count.
class UnitWorker {
 public:
  explicit UnitWorker(const UnitCall& call) : call_(call) {}

  void layout(Arena& arena) {
    const us_iou_params& params = *call_.params;
    row_ = arena.take<double>(params.width + 2 + kSlack);
    zeros_ = arena.take<float>(params.width + kSlack);
    hot_ = arena.take<std::uint8_t>(static_cast<std::int64_t>(params.height) + 2);
  }

  us_status run(std::int64_t begin, std::int64_t end) {
    const us_iou_params& params = *call_.params;
    for (std::int64_t column = 0; column < params.width; ++column) zeros_[column] = 0;
    row_[0] = row_[params.width + 1] = 0;
    const std::int64_t cells = static_cast<std::int64_t>(params.height) * params.width;
    for (std::int64_t unit = begin; unit < end; ++unit) {
      start_unit(unit);
      // Pixels without a label are counted too, which saves a branch for each; what they add is taken back.
      const std::int64_t without_label = intersection_[0];
      for (std::int64_t image = 0; image < call_.images; ++image) {
        const std::int64_t before = area_;
        const float* const map = call_.x + (image * params.units + unit) * cells;
        if (find_hot_rows(map, cells)) count_map(map, call_.labels[image]);
        add_image(unit, call_.labels[image], area_ - before);
      }
      intersection_[0] = without_label;
      call_.area[unit] += area_;
    }
    return US_OK;
  }

 private:
  void start_unit(std::int64_t unit) {
    const double threshold = call_.thresholds[unit];
    threshold_ = threshold;
    area_ = 0;
    intersection_ = call_.intersection + unit * call_.params->concepts;
    // Weights and sums round, so a pixel can exceed its largest cell by a few parts in 2^53: cells at or below this
    // bound cannot make a pixel that is above the threshold.
    constexpr double kMargin = 1.0 / (std::int64_t{1} << 48);
    bound_ = threshold > 0 ? threshold * (1 - kMargin) : threshold * (1 + kMargin);
    zeros_hot_ = call_.params->edge == US_IOU_EDGE_ZERO && bound_ < 0;
    cell_bound_ = static_cast<float>(bound_);
    if (static_cast<double>(cell_bound_) > bound_) cell_bound_ = __builtin_nextafterf(cell_bound_, -__builtin_inff());
  }

  bool has_hot_cell(const float* from, std::int64_t count) const {
    const Floats bound = splat(cell_bound_);
    Ints any{};
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) any |= load(from + i) > bound;
    std::int32_t found = 0;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) found |= any[lane];
    for (; i < count; ++i) found |= from[i] > cell_bound_ ? 1 : 0;
    return found != 0;
  }

  /// Marks the rows of cells that can lift a pixel above the threshold. False if there is none.
  bool find_hot_rows(const float* map, std::int64_t cells) {
    if (!zeros_hot_ && !has_hot_cell(map, cells)) return false;
    const std::int64_t height = call_.params->height;
    const std::int64_t width = call_.params->width;
    hot_[0] = hot_[height + 1] = zeros_hot_ ? 1 : 0;
    for (std::int64_t row = 0; row < height; ++row) {
      hot_[row + 1] = zeros_hot_ || has_hot_cell(map + row * width, width) ? 1 : 0;
    }
    return true;
  }

  const float* cells_of(const float* map, std::int32_t row) const {
    const bool beyond = row == 0 || row == call_.params->height + 1;
    return beyond ? zeros_ : map + static_cast<std::int64_t>(row - 1) * call_.params->width;
  }

  void count_map(const float* map, const ImageLabels& labels) {
    const AxisPlacement& vertical = *call_.vertical;
    const std::int64_t width = call_.params->width;
    double* const row = row_ + 1;
    for (std::int64_t i = 0; i < vertical.interval_count(); ++i) {
      const Interval& interval = vertical.interval(i);
      if (hot_[interval.first] == 0 && hot_[interval.second] == 0) continue;
      const float* const first = cells_of(map, interval.first);
      const float* const second = cells_of(map, interval.second);
      for (std::int64_t pixel_row = interval.begin; pixel_row < interval.end; ++pixel_row) {
        const double first_weight = vertical.first_weight()[pixel_row];
        const double second_weight = vertical.second_weight()[pixel_row];
        for (std::int64_t column = 0; column < width; ++column) {
          row[column] = first_weight * static_cast<double>(first[column]) + second_weight * static_cast<double>(second[column]);
        }
        count_row(pixel_row * call_.params->out_width, labels);
      }
    }
  }

  void count_row(std::int64_t start, const ImageLabels& labels) {
    const AxisPlacement& horizontal = *call_.horizontal;
    const Doubles threshold = Doubles{} + threshold_;
    for (std::int64_t i = 0; i < horizontal.interval_count(); ++i) {
      const Interval& interval = horizontal.interval(i);
      const double left = row_[interval.first];
      const double right = row_[interval.second];
      if (!(left > bound_) && !(right > bound_)) continue;
      for (std::int64_t begin = interval.begin; begin < interval.end; begin += 64) {
        const std::int64_t count = interval.end - begin < 64 ? interval.end - begin : 64;
        std::uint64_t mask = 0;
        for (std::int64_t offset = 0; offset < count; offset += kDoubles) {
          const Doubles values = load(horizontal.first_weight() + begin + offset) * left +
                                 load(horizontal.second_weight() + begin + offset) * right;
          mask |= bits_above(values, threshold) << offset;
        }
        // The last vector may reach into the next interval.
        mask &= ~std::uint64_t{0} >> (64 - count);
        if (mask != 0) count_mask(mask, start + begin, labels);
      }
    }
  }

  /// Counts the pixels `at` + i of the bits i that are set, a run of them at a time.
  void count_mask(std::uint64_t mask, std::int64_t at, const ImageLabels& labels) {
    do {
      const int skipped = __builtin_ctzll(mask);
      mask >>= skipped;
      at += skipped;
      const std::int64_t length = ~mask == 0 ? 64 : __builtin_ctzll(~mask);
      area_ += length;
      for (std::int64_t layer = 0; layer < labels.layer_count(); ++layer) {
        const std::int32_t* const from = labels.layer(layer) + at;
        for (std::int64_t i = 0; i < length; ++i) ++intersection_[from[i]];
      }
      mask = length == 64 ? 0 : mask >> length;
      at += length;
    } while (mask != 0);
  }

  void add_image(std::int64_t unit, const ImageLabels& labels, std::int64_t area) {
    if (area == 0) return;
    for (std::int64_t i = 0; i < labels.whole_count(); ++i) intersection_[labels.whole()[i]] += area;
    const std::int64_t categories = call_.params->categories;
    for (std::int64_t category = 0; category < categories; ++category) {
      if (labels.is_present(category)) call_.category_area[unit * categories + category] += area;
    }
  }

  const UnitCall& call_;
  double* row_ = nullptr;
  float* zeros_ = nullptr;
  std::uint8_t* hot_ = nullptr;
  double threshold_ = 0;
  double bound_ = 0;
  float cell_bound_ = 0;
  bool zeros_hot_ = false;
  std::int64_t area_ = 0;
  std::int64_t* intersection_ = nullptr;
};

/// Scratch memory that ends with the call.
class Block {
 public:
  explicit Block(std::int64_t bytes) : memory_(static_cast<char*>(__builtin_malloc(static_cast<std::size_t>(bytes + kCacheLine)))) {}
  ~Block() { __builtin_free(memory_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  bool is_there() const { return memory_ != nullptr; }
  char* aligned() const { return memory_ + (kCacheLine - reinterpret_cast<std::uintptr_t>(memory_) % kCacheLine); }

 private:
  char* memory_;
};

}  // namespace

us_status iou_counts(const us_execution* execution, const us_iou_params* params, const float* x, const double* thresholds,
                     const int32_t* pixel_labels, const int32_t* image_labels, const int32_t* category_of,
                     int64_t* intersection, int64_t* label_pixels, int64_t* category_area, int64_t* area) {
  us_status status = check_iou_labels(*params, pixel_labels, image_labels, category_of);
  if (status != US_OK || params->images == 0) return status;
  const std::int64_t pixels = static_cast<std::int64_t>(params->out_height) * params->out_width;
  const std::int64_t image_size = params->layers * pixels;
  const std::int64_t together = kGroupBytes / (image_size * static_cast<std::int64_t>(sizeof(std::int32_t)) + 1) + 1;
  const std::int64_t group = together < params->images ? together : params->images;

  AxisPlacement vertical;
  AxisPlacement horizontal;
  ImageLabels* labels = nullptr;
  const auto layout = [&](Arena& arena) {
    vertical.layout(arena, params->out_height);
    horizontal.layout(arena, params->out_width);
    labels = arena.take<ImageLabels>(group);
    ImageLabels unplaced;
    for (std::int64_t i = 0; i < group; ++i) {
      ImageLabels& each = labels == nullptr ? unplaced : labels[i] = ImageLabels();
      each.layout(arena, *params);
    }
  };
  Arena measured(nullptr);
  layout(measured);
  const Block block(measured.used());
  if (!block.is_there()) {
    return fail(US_OUT_OF_MEMORY, "%lld bytes of scratch memory cannot be allocated", (long long)measured.used());
  }
  Arena arena(block.aligned());
  layout(arena);
  vertical.prepare(params->height, params->origin[0], params->step[0], params->edge);
  horizontal.prepare(params->width, params->origin[1], params->step[1], params->edge);

  const std::int64_t cells = static_cast<std::int64_t>(params->height) * params->width;
  for (std::int64_t start = 0; start < params->images; start += group) {
    const std::int64_t images = params->images - start < group ? params->images - start : group;
    const LabelCall loading{params, pixel_labels + start * image_size, image_labels + start * params->image_labels, category_of, labels};
    status = run_rows<LabelWorker>(*execution, images, image_size, loading);
    if (status != US_OK) return status;
    for (std::int64_t image = 0; image < images; ++image) {
      for (std::int64_t concept_id = 0; concept_id < params->concepts; ++concept_id) {
        label_pixels[concept_id] += labels[image].counts()[concept_id];
      }
    }
    const UnitCall counting{params, &vertical,     &horizontal,   x + start * params->units * cells, thresholds, labels,
                            images, intersection, category_area, area};
    status = run_rows<UnitWorker>(*execution, params->units, images * pixels, counting);
    if (status != US_OK) return status;
  }
  return US_OK;
}

}  // namespace us::cpu::US_ISA
