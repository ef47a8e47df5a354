#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "harness.hpp"

namespace {

struct Arrays {
  std::vector<float> x;
  std::vector<double> thresholds;
  std::vector<std::int32_t> pixel_labels;
  std::vector<std::int32_t> image_labels;
  std::vector<std::int32_t> category_of;
};

struct Counts {
  std::vector<std::int64_t> intersection;
  std::vector<std::int64_t> label_pixels;
  std::vector<std::int64_t> category_area;
  std::vector<std::int64_t> area;
};

std::size_t product(std::initializer_list<std::int64_t> sizes) {
  std::int64_t all = 1;
  for (const std::int64_t size : sizes) all *= size;
  return static_cast<std::size_t>(all);
}

template <typename Cell>
double interpolate(Cell cell, double at) {
  const double first = std::floor(at);
  const double fraction = at - first;
  const int index = static_cast<int>(first);
  if (fraction == 0) return cell(index);
  return (1 - fraction) * cell(index) + fraction * cell(index + 1);
}

double place_of(int pixel, int cells, double origin, double step, bool clamp) {
  const double at = (pixel - origin) / step;
  const double low = clamp ? 0 : -1;
  const double high = clamp ? cells - 1 : cells;
  return std::fmin(std::fmax(at, low), high);
}

/// Every pixel's value and every pixel's set of labels, from the definition.
Counts reference_counts(const us_iou_params& p, const Arrays& arrays) {
  Counts counts{std::vector<std::int64_t>(product({p.units, p.concepts})), std::vector<std::int64_t>(product({p.concepts})),
                std::vector<std::int64_t>(product({p.units, p.categories})), std::vector<std::int64_t>(product({p.units}))};
  const bool clamp = p.edge == US_IOU_EDGE_CLAMP;
  for (int image = 0; image < p.images; ++image) {
    std::vector<std::set<int>> labels(product({p.out_height, p.out_width}));
    std::set<int> categories;
    for (std::size_t pixel = 0; pixel < labels.size(); ++pixel) {
      for (int i = 0; i < p.image_labels; ++i) labels[pixel].insert(arrays.image_labels[product({image, p.image_labels}) + static_cast<std::size_t>(i)]);
      for (int layer = 0; layer < p.layers; ++layer) {
        const std::size_t plane = product({image, p.layers}) + static_cast<std::size_t>(layer);
        labels[pixel].insert(arrays.pixel_labels[plane * labels.size() + pixel]);
      }
      labels[pixel].erase(0);
      for (const int label : labels[pixel]) {
        ++counts.label_pixels[static_cast<std::size_t>(label)];
        categories.insert(arrays.category_of[static_cast<std::size_t>(label)]);
      }
    }
    categories.erase(-1);
    for (int unit = 0; unit < p.units; ++unit) {
      const auto plane = product({image, p.units}) + static_cast<std::size_t>(unit);
      const auto cell = [&](int row, int column) {
        if (row < 0 || column < 0 || row >= p.height || column >= p.width) return 0.0;
        return static_cast<double>(arrays.x[plane * product({p.height, p.width}) + product({row, p.width}) + static_cast<std::size_t>(column)]);
      };
      for (int row = 0; row < p.out_height; ++row) {
        for (int column = 0; column < p.out_width; ++column) {
          const double y = place_of(row, p.height, p.origin[0], p.step[0], clamp);
          const double x = place_of(column, p.width, p.origin[1], p.step[1], clamp);
          const double value = interpolate([&](int c) { return interpolate([&](int r) { return cell(r, c); }, y); }, x);
          if (!(value > arrays.thresholds[static_cast<std::size_t>(unit)])) continue;
          ++counts.area[static_cast<std::size_t>(unit)];
          for (const int label : labels[product({row, p.out_width}) + static_cast<std::size_t>(column)]) {
            ++counts.intersection[product({unit, p.concepts}) + static_cast<std::size_t>(label)];
          }
          for (const int category : categories) ++counts.category_area[product({unit, p.categories}) + static_cast<std::size_t>(category)];
        }
      }
    }
  }
  return counts;
}

Arrays make_arrays(const us_iou_params& p, std::uint32_t seed) {
  Generator generator(seed);
  Arrays arrays{std::vector<float>(product({p.images, p.units, p.height, p.width})), std::vector<double>(product({p.units})),
                std::vector<std::int32_t>(product({p.images, p.layers, p.out_height, p.out_width})),
                std::vector<std::int32_t>(product({p.images, p.image_labels})), std::vector<std::int32_t>(product({p.concepts}))};
  const bool ties = generator.integer(0, 2) == 0;
  for (float& value : arrays.x) {
    value = ties ? static_cast<float>(generator.integer(-2, 2)) : generator.real();
    if (generator.integer(0, 19) == 0) value = std::numeric_limits<float>::quiet_NaN();
    if (generator.integer(0, 29) == 0) value = generator.real() / 0.0F;
  }
  for (double& threshold : arrays.thresholds) threshold = ties ? generator.integer(-1, 1) : static_cast<double>(generator.real());
  std::int32_t label = 0;
  for (std::int32_t& each : arrays.pixel_labels) {
    if (generator.integer(0, 5) == 0) label = generator.integer(0, p.concepts - 1);
    each = label;
  }
  for (std::int32_t& each : arrays.image_labels) each = generator.integer(0, p.concepts - 1);
  for (std::int32_t& each : arrays.category_of) each = generator.integer(-1, p.categories - 1);
  return arrays;
}

void compare(Report& report, const std::string& what, const GuardedArray<std::int64_t>& actual, const std::vector<std::int64_t>& expected) {
  report.check(actual.is_intact(), "%s: wrote outside", what.c_str());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    // The counts are added to 5.
    if (!report.check(actual[i] == expected[i] + 5, "%s[%zu] is %lld, not %lld", what.c_str(), i, static_cast<long long>(actual[i] - 5),
                      static_cast<long long>(expected[i]))) {
      return;
    }
  }
}

void run_problem(Report& report, us_backend backend, const us_iou_params& p, std::uint32_t seed, std::size_t shift, int threads) {
  const us_execution execution{backend, threads, nullptr};
  const Arrays arrays = make_arrays(p, seed);
  const Counts expected = reference_counts(p, arrays);
  GuardedArray<float> x(arrays.x.size(), shift, arrays.x);
  GuardedArray<double> thresholds(arrays.thresholds.size(), shift, arrays.thresholds);
  GuardedArray<std::int32_t> pixel_labels(arrays.pixel_labels.size(), shift, arrays.pixel_labels);
  GuardedArray<std::int32_t> image_labels(arrays.image_labels.size(), shift, arrays.image_labels);
  GuardedArray<std::int32_t> category_of(arrays.category_of.size(), shift, arrays.category_of);
  const auto fives = [&](const std::vector<std::int64_t>& like) {
    return GuardedArray<std::int64_t>(like.size(), shift, std::vector<std::int64_t>(like.size(), 5));
  };
  GuardedArray<std::int64_t> intersection = fives(expected.intersection);
  GuardedArray<std::int64_t> label_pixels = fives(expected.label_pixels);
  GuardedArray<std::int64_t> category_area = fives(expected.category_area);
  GuardedArray<std::int64_t> area = fives(expected.area);
  us_status status = US_OK;
  {
    const OnBackend<float> on_x(execution, x);
    const OnBackend<double> on_thresholds(execution, thresholds);
    const OnBackend<std::int32_t> on_pixel_labels(execution, pixel_labels);
    const OnBackend<std::int32_t> on_image_labels(execution, image_labels);
    const OnBackend<std::int32_t> on_category_of(execution, category_of);
    const OnBackend<std::int64_t> on_intersection(execution, intersection);
    const OnBackend<std::int64_t> on_label_pixels(execution, label_pixels);
    const OnBackend<std::int64_t> on_category_area(execution, category_area);
    const OnBackend<std::int64_t> on_area(execution, area);
    status = us_iou_counts(&execution, &p, on_x.get(), on_thresholds.get(), on_pixel_labels.get(), on_image_labels.get(),
                           on_category_of.get(), on_intersection.get(), on_label_pixels.get(), on_category_area.get(), on_area.get());
  }
  const std::string name = "iou_counts problem " + std::to_string(seed) + " ";
  if (!report.check(status == US_OK, "%s: %s", name.c_str(), us_last_error_message())) return;
  compare(report, name + "area", area, expected.area);
  compare(report, name + "label_pixels", label_pixels, expected.label_pixels);
  compare(report, name + "category_area", category_area, expected.category_area);
  compare(report, name + "intersection", intersection, expected.intersection);
}

us_iou_params random_params(Generator& generator) {
  us_iou_params p{};
  p.images = generator.integer(0, 3);
  p.units = generator.integer(1, 5);
  p.height = generator.integer(1, 9);
  p.width = generator.integer(1, 20);
  p.out_height = generator.integer(1, 40);
  p.out_width = generator.integer(1, 140);
  p.layers = generator.integer(0, 4);
  p.image_labels = generator.integer(0, 2);
  p.concepts = generator.integer(1, 9);
  p.categories = generator.integer(0, 3);
  p.edge = generator.integer(0, 1) == 0 ? US_IOU_EDGE_CLAMP : US_IOU_EDGE_ZERO;
  const bool whole = generator.integer(0, 1) == 0;
  const int sizes[2][2] = {{p.height, p.out_height}, {p.width, p.out_width}};
  for (int axis = 0; axis < 2; ++axis) {
    p.step[axis] = whole ? generator.integer(1, 9) : static_cast<double>(sizes[axis][1]) / sizes[axis][0];
    p.origin[axis] = whole ? generator.integer(-9, 9) : p.step[axis] / 2 - 0.5;
  }
  return p;
}

void test_refusals(Report& report) {
  us_iou_params good{1, 1, 2, 2, 2, 2, 1, 1, 3, 2, US_IOU_EDGE_CLAMP, {0, 0}, {1, 1}};
  const us_execution execution{US_BACKEND_CPU, 1, nullptr};
  const std::vector<float> x(4, 1.0F);
  const double threshold = 0;
  std::int64_t intersection[3] = {};
  std::int64_t label_pixels[3] = {};
  std::int64_t category_area[2] = {};
  std::int64_t area = 0;
  const auto call = [&](const us_iou_params& p, std::int32_t pixel, std::int32_t whole, std::int32_t category) {
    const std::int32_t pixel_labels[4] = {0, 1, 2, pixel};
    const std::int32_t category_of[3] = {-1, 0, category};
    return us_iou_counts(&execution, &p, x.data(), &threshold, pixel_labels, &whole, category_of, intersection, label_pixels, category_area,
                         &area);
  };
  for (const std::int32_t bad : {-1, 3}) {
    report.check(call(good, bad, 0, 1) == US_BAD_INPUT, "a pixel label out of range");
    report.check(call(good, 0, bad, 1) == US_BAD_INPUT, "an image label out of range");
  }
  for (const std::int32_t bad : {-2, 2}) report.check(call(good, 0, 0, bad) == US_BAD_INPUT, "a category out of range");
  report.check(area == 0 && label_pixels[1] == 0, "refused labels leave the counts alone");
  const auto refuses = [&](us_iou_params wrong, const char* what) { report.check(call(wrong, 0, 0, 1) == US_INVALID_ARGUMENT, what); };
  us_iou_params wrong = good;
  refuses((wrong = good, wrong.step[0] = 0, wrong), "a step of 0");
  refuses((wrong = good, wrong.origin[1] = std::nan(""), wrong), "an origin of NaN");
  refuses((wrong = good, wrong.units = -1, wrong), "negative units");
  refuses((wrong = good, wrong.concepts = 0, wrong), "no concepts");
  refuses((wrong = good, wrong.out_width = 0, wrong), "labels without pixels");
  refuses((wrong = good, wrong.images = std::int64_t{1} << 60, wrong), "more than can be counted");
  refuses((wrong = good, wrong.edge = static_cast<us_iou_edge>(2), wrong), "an unknown edge");
  report.check(call(good, 0, 0, 1) == US_OK && area == 4, "the good call");
}

}  // namespace

void test_iou_counts(Report& report, us_backend backend) {
  Generator generator(11);
  for (std::uint32_t i = 0; i < 400; ++i) run_problem(report, backend, random_params(generator), i, i % 4, generator.integer(0, 5));
  us_iou_params large{5, 64, 13, 13, 112, 112, 4, 1, 201, 6, US_IOU_EDGE_CLAMP, {3.8, 3.8}, {8.6, 8.6}};
  run_problem(report, backend, large, 1, 1, 3);
  large.edge = US_IOU_EDGE_ZERO;
  large.concepts = 9000;
  run_problem(report, backend, large, 2, 0, 2);
  if (backend == US_BACKEND_CPU) test_refusals(report);
}
