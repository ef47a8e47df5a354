// The compute functions, every instruction set and block, against the definitions.
#include <string>

#include "cpu/isa.hpp"
#include "operators/suites.hpp"
#include "operators/values.hpp"

namespace {

using us::SignalMask;

SignalMask mask_of(const Rule& rule) { return {rule.rule, rule.ceiling > 0, rule.ceiling}; }

/// Does all items, in ranges as they come.
template <typename Run>
void in_ranges(Generator& generator, std::int64_t items, Run run) {
  for (std::int64_t begin = 0; begin < items;) {
    const std::int64_t most = items - begin;
    const std::int64_t count = generator.integer(0, 2) == 0 ? most : generator.integer(1, static_cast<int>(most));
    run(begin, begin + count);
    begin += count;
  }
}

void compare(Report& report, const std::string& what, const GuardedArray<float>& actual, const Array& expected) {
  report.check(actual.is_intact(), "%s: wrote outside its output", what.c_str());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!report.check(same_value(actual[i], expected[i]), "%s: [%zu] is %g, not %g", what.c_str(), i,
                      static_cast<double>(actual[i]), static_cast<double>(expected[i]))) {
      return;
    }
  }
}

void test_mask(Report& report, const us::cpu::KernelSet& kernels) {
  Generator generator(11);
  for (int i = 0; i < 300; ++i) {
    const auto size = static_cast<std::size_t>(generator.integer(0, 150));
    const Rule rule = random_rule(generator);
    const Array y = tied_values(generator, size, i % 2 == 0);
    const Array dy = tied_values(generator, size, i % 3 == 0);
    Array expected(size);
    for (std::size_t e = 0; e < size; ++e) expected[e] = through(rule, dy[e], y[e]);
    const auto shift = static_cast<std::size_t>(i % 5);
    GuardedArray<float> from(size, shift, y);
    GuardedArray<float> signal(size, shift, dy);
    GuardedArray<float> apart(size, shift);
    const std::string name = "mask_signal " + std::to_string(i);
    // Into memory of its own, and in place of either input.
    for (float* const to : {apart.data(), signal.data()}) {
      const us::MaskedSignal work{mask_of(rule), from.data(), signal.data(), to};
      in_ranges(generator, static_cast<std::int64_t>(size), [&](std::int64_t begin, std::int64_t end) {
        report.check(kernels.mask_signal(work, begin, end) == US_OK, "%s", name.c_str());
      });
    }
    compare(report, name, apart, expected);
    compare(report, name + " in place of dy", signal, expected);
    GuardedArray<float> again(size, shift, dy);
    const us::MaskedSignal over_y{mask_of(rule), from.data(), again.data(), from.data()};
    kernels.mask_signal(over_y, 0, static_cast<std::int64_t>(size));
    compare(report, name + " in place of y", from, expected);
  }
}

void test_split(Report& report, const us::cpu::KernelSet& kernels) {
  Generator generator(12);
  for (int i = 0; i < 300; ++i) {
    const auto pictures = static_cast<std::size_t>(generator.integer(1, 3));
    const int count = generator.integer(1, 4);
    std::vector<us::SignalPart> parts;
    std::vector<Rule> rules;
    std::vector<GuardedArray<float>> outputs;
    std::vector<Array> expected(static_cast<std::size_t>(count));
    std::size_t size = 0;
    for (int part = 0; part < count; ++part) {
      const int length = generator.integer(0, 4) == 0 && part > 0 ? 0 : generator.integer(1, 40);
      rules.push_back(random_rule(generator));
      parts.push_back({length, mask_of(rules.back()), nullptr});
      outputs.emplace_back(pictures * static_cast<std::size_t>(length), static_cast<std::size_t>(part));
      size += static_cast<std::size_t>(length);
    }
    const bool skips_one = i % 7 == 0;
    for (std::size_t part = 0; part < parts.size(); ++part) {
      parts[part].dx = skips_one && part == 0 ? nullptr : outputs[part].data();
    }
    const Array y = tied_values(generator, pictures * size, true);
    const Array dy = tied_values(generator, pictures * size);
    for (std::size_t e = 0; e < y.size();) {
      for (std::size_t part = 0; part < parts.size(); ++part) {
        for (std::int64_t k = 0; k < parts[part].size; ++k, ++e) {
          expected[part].push_back(through(rules[part], dy[e], y[e]));
        }
      }
    }
    const us::SplitSignal work{parts.data(), count, static_cast<std::int64_t>(size), y.data(), dy.data()};
    in_ranges(generator, static_cast<std::int64_t>(y.size()),
              [&](std::int64_t begin, std::int64_t end) { kernels.split_signal(work, begin, end); });
    for (std::size_t part = skips_one ? 1 : 0; part < parts.size(); ++part) {
      const std::string name = "split_signal " + std::to_string(i) + " part " + std::to_string(part);
      compare(report, name, outputs[part], expected[part]);
    }
  }
}

void test_spread(Report& report, const us::cpu::KernelSet& kernels) {
  Generator generator(13);
  for (int i = 0; i < 200; ++i) {
    const std::size_t block = std::vector<std::size_t>{1, 8, 16}[static_cast<std::size_t>(i % 3)];
    const std::size_t channels = block * static_cast<std::size_t>(generator.integer(1, 2));
    const std::size_t planes = 2 * channels;
    const auto cells = static_cast<std::size_t>(generator.integer(1, 70));
    const Rule rule = random_rule(generator);
    const Array x = tied_values(generator, planes * cells, true);
    const Array dy = random_values(generator, planes);
    Array expected(x.size());
    for (std::size_t e = 0; e < x.size(); ++e) {
      // The quotient of two float32 rounds to float32 the same from its float64.
      const double share = static_cast<double>(dy[e / cells]) / static_cast<double>(cells);
      expected[e] = through(rule, static_cast<float>(share), x[e]);
    }
    const Array blocked_x = to_blocks(x, channels, cells, block);
    GuardedArray<float> dx(x.size(), static_cast<std::size_t>(i % 4));
    const us::SpreadSignal work{mask_of(rule), static_cast<std::int64_t>(cells), static_cast<std::int64_t>(block),
                                blocked_x.data(), dy.data(), dx.data()};
    in_ranges(generator, static_cast<std::int64_t>(planes / block),
              [&](std::int64_t begin, std::int64_t end) { kernels.spread_signal(work, begin, end); });
    compare(report, "spread_signal " + std::to_string(i), dx, to_blocks(expected, channels, cells, block));
  }
}

void test_interleave(Report& report, const us::cpu::KernelSet& kernels) {
  Generator generator(14);
  for (int i = 0; i < 300; ++i) {
    const std::size_t block = std::vector<std::size_t>{1, 8, 16}[static_cast<std::size_t>(i % 3)];
    const std::size_t channels = block * static_cast<std::size_t>(generator.integer(1, 2));
    const auto height = static_cast<std::size_t>(generator.integer(1, 9));
    const auto width = static_cast<std::size_t>(generator.integer(1, 70));
    const auto sh = static_cast<std::size_t>(generator.integer(1, 4));
    const auto sw = static_cast<std::size_t>(i % 2 == 0 ? 2 : generator.integer(1, 4));
    const Rule rule = random_rule(generator);
    const std::size_t size = 2 * channels * height * width;
    Array dx = tied_values(generator, size, true);
    std::vector<Array> phases;
    std::vector<const float*> present;
    for (std::size_t phase = 0; phase < sh * sw; ++phase) {
      const bool is_there = generator.integer(0, 3) > 0;
      for (std::size_t e = 0; e < size && !is_there; ++e) {
        if (e / width % height % sh == phase / sw && e % width % sw == phase % sw) dx[e] = 0;
      }
      const std::size_t cells = ((height + sh - 1 - phase / sw) / sh) * ((width + sw - 1 - phase % sw) / sw);
      const Array plain = phase_of(dx, height, width, sh, sw, phase / sw, phase % sw);
      phases.push_back(cells == 0 ? Array{} : to_blocks(plain, channels, cells, block));
      present.push_back(is_there ? phases.back().data() : nullptr);
    }
    const Array y = tied_values(generator, size, true);
    Array expected(size);
    for (std::size_t e = 0; e < size; ++e) expected[e] = through(rule, dx[e], y[e]);
    const Array blocked_y = to_blocks(y, channels, height * width, block);
    GuardedArray<float> made(size, static_cast<std::size_t>(i % 4));
    const us::InterleavedPhases work{mask_of(rule),
                                     static_cast<std::int64_t>(height),
                                     static_cast<std::int64_t>(width),
                                     {static_cast<std::int64_t>(sh), static_cast<std::int64_t>(sw)},
                                     static_cast<std::int64_t>(block),
                                     present.data(),
                                     blocked_y.data(),
                                     made.data()};
    in_ranges(generator, static_cast<std::int64_t>(2 * channels / block * height),
              [&](std::int64_t begin, std::int64_t end) { kernels.interleave_phases(work, begin, end); });
    const Array blocked = to_blocks(expected, channels, height * width, block);
    compare(report, "interleave_phases " + std::to_string(i), made, blocked);
  }
}

us_pool2d_params random_pooling(Generator& generator, int i) {
  us_pool2d_params params{};
  // Side 2 or 3, stride 1 or 2: there is faster code for most of them.
  const bool usual = i % 2 == 0;
  for (int axis = 0; axis < 2; ++axis) {
    params.kernel[axis] = usual ? 2 + i / 2 % 2 : generator.integer(1, 5);
    params.stride[axis] = usual ? (i % 8 == 6 ? 1 : 2) : generator.integer(1, 5);
    params.dilation[axis] = usual ? 1 : generator.integer(1, 3);
    params.pad_begin[axis] = generator.integer(0, params.kernel[axis] - 1);
    params.pad_end[axis] = generator.integer(0, params.kernel[axis] - 1);
  }
  params.height = (params.kernel[0] - 1) * params.dilation[0] + generator.integer(1, 9);
  params.width = (params.kernel[1] - 1) * params.dilation[1] + generator.integer(1, 12);
  return params;
}

void test_unpool(Report& report, const us::cpu::KernelSet& kernels) {
  Generator generator(15);
  int done = 0;
  for (int i = 0; i < 400; ++i) {
    us_pool2d_params params = random_pooling(generator, i);
    const std::size_t block = i % 3 == 0 ? 16 : 8;
    const std::size_t channels = block * static_cast<std::size_t>(generator.integer(1, 2));
    params.planes = static_cast<std::int64_t>(2 * channels);
    // With dilation a window can miss a small plane altogether, which is refused.
    if (us_pool2d_output_size(&params, i / 4 % 2) != US_OK) continue;
    ++done;
    const auto cells = static_cast<std::size_t>(params.height) * static_cast<std::size_t>(params.width);
    const auto windows = static_cast<std::size_t>(params.out_height) * static_cast<std::size_t>(params.out_width);
    const Array x = tied_values(generator, 2 * channels * cells, i % 5 == 0);
    // Whole numbers, so that sums are exact, and ties.
    const Array dy = tied_values(generator, 2 * channels * windows);
    const Rule rule = random_rule(generator);
    const SumReference sums = reference_unpool(params, false, dy, reference_max_pool(params, x).switches);
    Array expected(x.size());
    for (std::size_t e = 0; e < x.size(); ++e) expected[e] = through(rule, static_cast<float>(sums.sums[e]), x[e]);

    const Array blocked_x = to_blocks(x, channels, cells, block);
    const Array blocked_dy = to_blocks(dy, channels, windows, block);
    GuardedArray<float> dx(x.size(), static_cast<std::size_t>(i % 4));
    params.planes = static_cast<std::int64_t>(2 * channels / block);
    const us::BlockedPooling work{mask_of(rule), us::pool_axes(params), static_cast<std::int64_t>(block),
                                  blocked_x.data(), blocked_dy.data(), dx.data()};
    in_ranges(generator, params.planes * params.height, [&](std::int64_t begin, std::int64_t end) {
      report.check(kernels.unpool_blocks(work, begin, end) == US_OK, "unpool_blocks %d", i);
    });
    char name[160];
    std::snprintf(name, sizeof name,
                  "unpool_blocks %d: block %zu of %dx%d kernel %dx%d stride %dx%d pads %d,%d dilation %dx%d rule %d", i,
                  block, params.height, params.width, params.kernel[0], params.kernel[1], params.stride[0],
                  params.stride[1], params.pad_begin[0], params.pad_begin[1], params.dilation[0], params.dilation[1],
                  static_cast<int>(rule.rule));
    compare(report, name, dx, to_blocks(expected, channels, cells, block));
  }
  report.check(done > 300, "only %d poolings were legal", done);
}

/// The order in which signals of overlapping windows are added is that of the kernel for planes: bit for bit.
void test_same_sums(Report& report, const us::cpu::KernelSet& kernels) {
  Generator generator(16);
  us_pool2d_params params{8, 23, 31, 0, 0, {3, 3}, {1, 2}, {1, 0}, {1, 1}, {1, 1}};
  us_pool2d_output_size(&params, 1);
  const std::size_t cells = std::size_t{23} * 31;
  const auto windows = static_cast<std::size_t>(params.out_height) * static_cast<std::size_t>(params.out_width);
  const Array x = random_values(generator, 8 * cells);
  const Array dy = random_values(generator, 8 * windows);
  Array planes(x.size());
  Array blocks(x.size());
  const us_execution here{US_BACKEND_CPU, 1, nullptr};
  report.check(us_max_pool_backward(&here, &params, US_SIGNAL_RULE_NONE, x.data(), dy.data(), planes.data()) == US_OK,
               "max_pool_backward: %s", us_last_error_message());
  const Array blocked_x = to_blocks(x, 8, cells, 8);
  const Array blocked_dy = to_blocks(dy, 8, windows, 8);
  const us::BlockedPooling work{{}, us::pool_axes(params), 8, blocked_x.data(), blocked_dy.data(), blocks.data()};
  kernels.unpool_blocks(work, 0, params.height);
  const bool same = from_blocks(blocks, 8, cells, 8) == planes;
  report.check(same, "unpool_blocks adds in another order than max_pool_backward");
}

}  // namespace

void test_compute(Report& report) {
  const us::cpu::KernelSet& kernels = *us::cpu::chosen_kernels();
  test_mask(report, kernels);
  test_split(report, kernels);
  test_spread(report, kernels);
  test_interleave(report, kernels);
  test_unpool(report, kernels);
  test_same_sums(report, kernels);
}
