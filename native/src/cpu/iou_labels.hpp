#pragma once

#include "cpu/scratch.hpp"
#include "unitscope/iou_counts.h"

namespace us::cpu::US_ISA {
namespace {

/// The labels of one image, made ready for counting: no concept twice for a pixel, no layer without a label.
class ImageLabels {
 public:
  void layout(Arena& arena, const us_iou_params& params) {
    pixels_ = static_cast<std::int64_t>(params.out_height) * params.out_width;
    layers_ = arena.take<std::int32_t>(params.layers * pixels_ + kSlack);
    whole_ = arena.take<std::int32_t>(params.image_labels);
    counts_ = arena.take<std::int64_t>(params.concepts);
    present_ = arena.take<std::uint8_t>(params.categories);
  }

  void load(const us_iou_params& params, const std::int32_t* pixel_labels, const std::int32_t* image_labels,
            const std::int32_t* category_of) {
    for (std::int64_t concept_id = 0; concept_id < params.concepts; ++concept_id) counts_[concept_id] = 0;
    load_whole(params, image_labels);
    layer_count_ = 0;
    for (std::int64_t layer = 0; layer < params.layers; ++layer) load_layer(pixel_labels + layer * pixels_);
    for (std::int64_t i = 0; i < whole_count_; ++i) counts_[whole_[i]] = pixels_;
    counts_[0] = 0;
    for (std::int64_t category = 0; category < params.categories; ++category) present_[category] = 0;
    for (std::int64_t concept_id = 1; concept_id < params.concepts; ++concept_id) {
      if (counts_[concept_id] > 0 && category_of[concept_id] >= 0) present_[category_of[concept_id]] = 1;
    }
  }

  std::int64_t layer_count() const { return layer_count_; }
  const std::int32_t* layer(std::int64_t index) const { return layers_ + index * pixels_; }
  std::int64_t whole_count() const { return whole_count_; }
  const std::int32_t* whole() const { return whole_; }
  const std::int64_t* counts() const { return counts_; }
  bool is_present(std::int64_t category) const { return present_[category] != 0; }

 private:
  void load_whole(const us_iou_params& params, const std::int32_t* image_labels) {
    whole_count_ = 0;
    for (std::int64_t i = 0; i < params.image_labels; ++i) {
      const std::int32_t label = image_labels[i];
      bool known = label == 0;
      for (std::int64_t j = 0; j < whole_count_; ++j) known = known || whole_[j] == label;
      if (!known) whole_[whole_count_++] = label;
    }
  }

  void load_layer(const std::int32_t* from) {
    std::int32_t* const to = layers_ + layer_count_ * pixels_;
    std::int32_t any = 0;
    for (std::int64_t p = 0; p < pixels_; ++p) any |= to[p] = from[p];
    if (any == 0) return;
    for (std::int64_t i = 0; i < whole_count_; ++i) {
      const std::int32_t label = whole_[i];
      for (std::int64_t p = 0; p < pixels_; ++p) to[p] = to[p] == label ? 0 : to[p];
    }
    for (std::int64_t other = 0; other < layer_count_; ++other) {
      const std::int32_t* const earlier = layer(other);
      for (std::int64_t p = 0; p < pixels_; ++p) to[p] = to[p] == earlier[p] ? 0 : to[p];
    }
    // Labels come in runs, so one addition does for many pixels.
    for (std::int64_t p = 0; p < pixels_;) {
      const std::int32_t label = to[p];
      const std::int64_t start = p;
      while (p < pixels_ && to[p] == label) ++p;
      counts_[label] += p - start;
    }
    ++layer_count_;
  }

  std::int64_t pixels_ = 0;
  std::int32_t* layers_ = nullptr;
  std::int64_t layer_count_ = 0;
  std::int32_t* whole_ = nullptr;
  std::int64_t whole_count_ = 0;
  std::int64_t* counts_ = nullptr;
  std::uint8_t* present_ = nullptr;
};

}  // namespace
}  // namespace us::cpu::US_ISA
