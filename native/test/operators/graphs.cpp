// Every operator in a graph that ONNX Runtime runs, registered as our own binding does and as any program does.
#include <string>

#include "operators/session.hpp"
#include "operators/suites.hpp"
#include "operators/values.hpp"

namespace {

using us::ort::Api;
using us::ort::Failure;

constexpr const char* kRules[] = {"none", "gradient", "guided", "deconvnet"};

class Graphs {
 public:
  Graphs(Report& report, const TestEnvironment& environment, const us::ort::SessionOptions* options)
      : report_(report), environment_(environment), options_(options) {}

  std::vector<Tensor> run(const Node& node, const std::map<std::string, Tensor>& feeds, bool symbolic = false) const {
    std::vector<Input> inputs;
    for (const auto& [name, tensor] : feeds) {
      inputs.push_back({name, tensor.dims});
      if (symbolic) inputs.back().dims[0] = -1;
    }
    const TestSession session(environment_, options_, model_bytes(inputs, {node}, node.outputs));
    std::vector<Tensor> results = session.run(feeds, node.outputs);
    for (std::size_t i = 0; i < results.size(); ++i) {
      std::vector<std::int64_t> expected = results[i].dims;
      if (symbolic) expected[0] = -1;
      const bool same = session.inferred(i) == expected;
      report_.check(same, "%s: inferred another shape than it gave", node.operator_name.c_str());
    }
    return results;
  }

  void expect(const Node& node, const std::map<std::string, Tensor>& feeds, const std::vector<Tensor>& expected,
              bool symbolic = false) const {
    const std::vector<Tensor> results = run(node, feeds, symbolic);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const std::string what = node.operator_name + " output " + std::to_string(i);
      if (!report_.check(results[i].dims == expected[i].dims, "%s: wrong shape", what.c_str())) continue;
      for (std::size_t e = 0; e < expected[i].values.size(); ++e) {
        const float given = results[i].values[e];
        const float right = expected[i].values[e];
        if (!report_.check(same_value(given, right), "%s: [%zu] is %g, not %g", what.c_str(), e,
                           static_cast<double>(given), static_cast<double>(right))) {
          break;
        }
      }
    }
  }

  /// The run, or the session, fails with one line that has all of `parts` in it.
  void refuse(const Node& node, const std::map<std::string, Tensor>& feeds,
              const std::vector<std::string>& parts) const {
    std::string message;
    try {
      std::vector<Input> inputs;
      // Of unknown sizes, so that only the operator can see what is wrong.
      for (const auto& [name, tensor] : feeds) {
        std::vector<std::int64_t> dims;
        for (std::size_t axis = 0; axis < tensor.dims.size(); ++axis) {
          dims.push_back(-1 - static_cast<std::int64_t>(axis + 10 * inputs.size()));
        }
        inputs.push_back({name, dims});
      }
      TestSession(environment_, options_, model_bytes(inputs, {node}, node.outputs)).run(feeds, node.outputs);
    } catch (const Failure& failure) {
      message = failure.what();
    }
    ++refusals_;
    for (const std::string& part : parts) {
      report_.check(message.find(part) != std::string::npos, "%s is refused with '%s', which does not say '%s'",
                    node.operator_name.c_str(), message.c_str(), part.c_str());
    }
  }

  int refusals() const { return refusals_; }

 private:
  Report& report_;
  const TestEnvironment& environment_;
  const us::ort::SessionOptions* options_;
  mutable int refusals_ = 0;
};

void with_mask(Node& node, const Rule& rule) {
  node.attributes.emplace_back("rule", kRules[rule.rule]);
  if (rule.ceiling > 0) node.attributes.emplace_back("ceiling", rule.ceiling);
}

Tensor tied(Generator& generator, const std::vector<std::int64_t>& dims) {
  return {dims, tied_values(generator, static_cast<std::size_t>(us::ort::element_count(dims)))};
}

void test_relu_grad(const Graphs& graphs) {
  Generator generator(21);
  const std::vector<std::vector<std::int64_t>> shapes{{1}, {0, 4}, {3, 5}, {2, 3, 5, 7}, {4, 16, 33, 35}};
  for (const auto& dims : shapes) {
    for (int i = 0; i < 4; ++i) {
      Rule rule = random_rule(generator);
      if (rule.rule == US_SIGNAL_RULE_NONE) rule.rule = US_SIGNAL_RULE_GRADIENT;
      const Tensor y = tied(generator, dims);
      const Tensor dy = tied(generator, dims);
      Tensor expected = dy;
      for (std::size_t e = 0; e < y.values.size(); ++e) expected.values[e] = through(rule, dy.values[e], y.values[e]);
      Node node{"ReluGrad", {"y", "dy"}, {"dx"}, {}};
      with_mask(node, rule);
      graphs.expect(node, {{"y", y}, {"dy", dy}}, {expected}, i % 2 == 1);
    }
  }
  const Tensor two{{2}, {1, 2}};
  const Tensor three{{3}, {1, 2, 3}};
  graphs.refuse({"ReluGrad", {"y", "dy"}, {"dx"}, {{"rule", "gradient"}}}, {{"y", two}, {"dy", three}},
                {R"(ReluGrad "ReluGrad_node")", "dy is [3], not [2]"});
  graphs.refuse({"ReluGrad", {"y", "dy"}, {"dx"}, {}}, {{"y", two}, {"dy", two}},
                {"ReluGrad_node", "rule (string) is missing"});
  graphs.refuse({"ReluGrad", {"y", "dy"}, {"dx"}, {{"rule", "lrp"}}}, {{"y", two}, {"dy", two}},
                {R"("lrp" is unknown)"});
  graphs.refuse({"ReluGrad", {"y", "dy"}, {"dx"}, {{"rule", "none"}}}, {{"y", two}, {"dy", two}}, {"not none"});
  graphs.refuse({"ReluGrad", {"y", "dy"}, {"dx"}, {{"rule", "guided"}, {"ceiling", -1.0F}}}, {{"y", two}, {"dy", two}},
                {"the ceiling must be larger than 0"});
}

void test_max_pool_grad(const Graphs& graphs) {
  Generator generator(22);
  for (int i = 0; i < 60; ++i) {
    const std::int64_t block = i % 3 == 0 ? 1 : i % 3 == 1 ? 8 : 16;
    const std::int64_t channels = block * generator.integer(1, 3);
    const bool one_axis = i % 5 == 4;
    us_pool2d_params params{2 * channels, one_axis ? 1 : generator.integer(3, 40), generator.integer(3, 40), 0, 0,
                            {one_axis ? 1 : 3, 3}, {one_axis ? 1 : 2, 2}, {0, generator.integer(0, 1)},
                            {0, generator.integer(0, 1)}, {1, 1}};
    const int ceil_mode = i % 2;
    if (us_pool2d_output_size(&params, ceil_mode) != US_OK) continue;
    const auto cells = static_cast<std::size_t>(params.height) * static_cast<std::size_t>(params.width);
    const auto windows = static_cast<std::size_t>(params.out_height) * static_cast<std::size_t>(params.out_width);
    const auto planes = static_cast<std::size_t>(params.planes);
    const Array x = tied_values(generator, planes * cells);
    const Array dy = tied_values(generator, planes * windows);
    const Rule rule = random_rule(generator);
    const SumReference sums = reference_unpool(params, false, dy, reference_max_pool(params, x).switches);
    Array expected(x.size());
    for (std::size_t e = 0; e < x.size(); ++e) expected[e] = through(rule, static_cast<float>(sums.sums[e]), x[e]);
    const auto blocked = [&](const Array& values, std::size_t each) {
      return to_blocks(values, static_cast<std::size_t>(channels), each, static_cast<std::size_t>(block));
    };
    std::vector<std::int64_t> x_dims{2, channels, params.height, params.width};
    std::vector<std::int64_t> y_dims{2, channels, params.out_height, params.out_width};
    std::vector<std::int64_t> kernel{3, 3};
    std::vector<std::int64_t> strides{2, 2};
    std::vector<std::int64_t> pads{0, params.pad_begin[1], 0, params.pad_end[1]};
    for (auto* const values : {&kernel, &strides}) values->resize(one_axis ? 1 : 2);
    if (one_axis) {
      x_dims.erase(x_dims.begin() + 2);
      y_dims.erase(y_dims.begin() + 2);
      pads = {pads[1], pads[3]};
    }
    Node node{"MaxPoolGrad", {"x", "y", "dy"}, {"dx"}, {{"kernel_shape", kernel}, {"strides", strides}}};
    node.attributes.emplace_back("pads", pads);
    node.attributes.emplace_back("ceil_mode", std::int64_t{ceil_mode});
    if (block > 1) node.attributes.emplace_back("block", block);
    if (rule.rule != US_SIGNAL_RULE_NONE) with_mask(node, rule);
    const Tensor windows_of_dy{y_dims, blocked(dy, windows)};
    graphs.expect(node, {{"x", {x_dims, blocked(x, cells)}}, {"y", windows_of_dy}, {"dy", windows_of_dy}},
                  {{x_dims, blocked(expected, cells)}}, i % 4 == 0);
  }
  const Tensor x{{1, 1, 4, 4}, Array(16)};
  const Tensor y{{1, 1, 2, 2}, Array(4)};
  const Tensor wide{{1, 1, 2, 3}, Array(6)};
  const std::vector<std::int64_t> two{2, 2};
  const Node good{"MaxPoolGrad", {"x", "y", "dy"}, {"dx"}, {{"kernel_shape", two}, {"strides", two}}};
  const auto refuse = [&](const Attribute& attribute, const std::vector<std::string>& parts) {
    Node node = good;
    node.attributes.push_back(attribute);
    graphs.refuse(node, {{"x", x}, {"y", y}, {"dy", y}}, parts);
  };
  graphs.refuse(good, {{"x", x}, {"y", y}, {"dy", wide}}, {"MaxPoolGrad_node", "dy is [1, 1, 2, 3]"});
  graphs.refuse(good, {{"x", x}, {"y", wide}, {"dy", wide}}, {"y is [1, 1, 2, 3]", "is [1, 1, 2, 2]"});
  graphs.refuse(good, {{"x", {{1, 4, 4}, Array(16)}}, {"y", y}, {"dy", y}}, {"x [1, 4, 4] must have 4 axes"});
  refuse({"block", std::int64_t{8}}, {"multiple of the block 8"});
  refuse({"block", std::int64_t{4}}, {"block must be 1, 8 or 16"});
  refuse({"pads", std::vector<std::int64_t>{0, 1}}, {"pads must have 4 numbers"});
  refuse({"dilations", std::vector<std::int64_t>{9, 9}}, {"no window fits"});
  refuse({"auto_pad", "SAME_UPPER"}, {"auto_pad is not handled"});
  graphs.refuse({"MaxPoolGrad", {"x", "y", "dy"}, {"dx"}, {}}, {{"x", x}, {"y", y}, {"dy", y}},
                {"kernel_shape (ints) is missing"});
}

void test_split_relu_grad(const Graphs& graphs) {
  Generator generator(23);
  for (int i = 0; i < 12; ++i) {
    const std::vector<std::int64_t> split{generator.integer(1, 20), generator.integer(1, 20), generator.integer(1, 20)};
    const std::int64_t channels = split[0] + split[1] + split[2];
    const std::vector<std::int64_t> dims{2, channels, generator.integer(1, 30), 3};
    const Tensor dy = tied(generator, dims);
    const Tensor y = tied(generator, dims);
    std::vector<std::string> rules;
    std::string joined;
    std::vector<float> ceilings;
    std::vector<Tensor> expected;
    std::int64_t first = 0;
    for (const std::int64_t part : split) {
      const Rule rule = random_rule(generator);
      rules.emplace_back(kRules[rule.rule]);
      joined += (joined.empty() ? "" : ",") + rules.back();
      ceilings.push_back(rule.ceiling > 0 ? rule.ceiling : std::numeric_limits<float>::infinity());
      expected.push_back({{2, part, dims[2], 3}, {}});
      const auto cells = static_cast<std::size_t>(dims[2] * 3);
      for (std::size_t e = 0; e < dy.values.size(); ++e) {
        const auto channel = static_cast<std::int64_t>(e / cells) % channels;
        if (channel < first || channel >= first + part) continue;
        expected.back().values.push_back(through(rule, dy.values[e], y.values[e]));
      }
      first += part;
    }
    Node node{"SplitReluGrad", {"dy", "y"}, {"dx1", "dx2", "dx3"}, {{"split", split}, {"ceilings", ceilings}}};
    node.attributes.push_back(i % 2 == 0 ? Attribute("rules", rules) : Attribute("rules", joined.c_str()));
    graphs.expect(node, {{"dy", dy}, {"y", y}}, expected, i % 3 == 0);
  }
  const Tensor four{{1, 4, 2, 2}, Array(16)};
  const auto refuse = [&](const std::vector<std::int64_t>& split, const char* rules,
                          const std::vector<std::string>& parts) {
    graphs.refuse({"SplitReluGrad", {"dy", "y"}, {"a", "b"}, {{"split", split}, {"rules", rules}}},
                  {{"dy", four}, {"y", four}}, parts);
  };
  refuse({1, 2}, "none,guided", {"SplitReluGrad_node", "must have the 3 channels"});
  refuse({1, 2, 1}, "none,guided,none", {"2 outputs for a split into 3"});
  refuse({2, 2}, "none", {"1 rules for a split into 2"});
  refuse({2, 2}, "none,relu", {R"("relu" is unknown)"});
}

void test_global_average_pool_grad(const Graphs& graphs) {
  Generator generator(24);
  for (int i = 0; i < 12; ++i) {
    const std::int64_t block = i % 3 == 0 ? 1 : i % 3 == 1 ? 8 : 16;
    const std::vector<std::int64_t> dims{2, 2 * block, generator.integer(1, 30), generator.integer(1, 30)};
    const auto cells = static_cast<std::size_t>(dims[2] * dims[3]);
    const Rule rule = random_rule(generator);
    const Tensor dy = tied(generator, {2, 2 * block, 1, 1});
    const Tensor x = tied(generator, dims);
    Array expected(x.values.size());
    for (std::size_t e = 0; e < expected.size(); ++e) {
      const double share = static_cast<double>(dy.values[e / cells]) / static_cast<double>(cells);
      expected[e] = through(rule, static_cast<float>(share), x.values[e]);
    }
    const auto blocked = [&](const Array& values) {
      return to_blocks(values, static_cast<std::size_t>(2 * block), cells, static_cast<std::size_t>(block));
    };
    Node node{"GlobalAveragePoolGrad", {"dy", "x"}, {"dx"}, {{"block", block}}};
    with_mask(node, rule);
    graphs.expect(node, {{"dy", dy}, {"x", {dims, blocked(x.values)}}}, {{dims, blocked(expected)}}, i % 2 == 0);
  }
  const Tensor x{{1, 4, 2, 2}, Array(16)};
  graphs.refuse({"GlobalAveragePoolGrad", {"dy", "x"}, {"dx"}, {}}, {{"dy", x}, {"x", x}},
                {"GlobalAveragePoolGrad_node", "dy is [1, 4, 2, 2]", "[1, 4, 1, 1]"});
}

void test_phase_interleave(const Graphs& graphs) {
  Generator generator(25);
  for (int i = 0; i < 18; ++i) {
    const std::int64_t block = i % 3 == 0 ? 1 : i % 3 == 1 ? 8 : 16;
    const std::vector<std::int64_t> dims{2, 2 * block, generator.integer(4, 40), generator.integer(4, 40)};
    const auto height = static_cast<std::size_t>(dims[2]);
    const auto width = static_cast<std::size_t>(dims[3]);
    const std::vector<std::int64_t> strides{generator.integer(1, 3), 2};
    const auto sh = static_cast<std::size_t>(strides[0]);
    const Rule rule = random_rule(generator);
    const bool masked = rule.rule == US_SIGNAL_RULE_GRADIENT || rule.rule == US_SIGNAL_RULE_GUIDED || i % 2 == 0;
    const auto blocked = [&](const Array& values, std::size_t cells) {
      return to_blocks(values, static_cast<std::size_t>(2 * block), cells, static_cast<std::size_t>(block));
    };
    Array dx = tied(generator, dims).values;
    const Tensor y = tied(generator, dims);
    std::map<std::string, Tensor> feeds;
    Node node{"PhaseInterleave", {}, {"dx"}, {{"strides", strides}, {"block", block}}};
    node.attributes.emplace_back("sizes", std::vector<std::int64_t>{dims[2], dims[3]});
    std::vector<std::int64_t> present;
    for (std::size_t phase = 0; phase < 2 * sh; ++phase) {
      const std::size_t rows = (height + sh - 1 - phase / 2) / sh;
      const std::size_t columns = (width + 1 - phase % 2) / 2;
      if (phase > 0 && generator.integer(0, 2) == 0) {
        for (std::size_t e = 0; e < dx.size(); ++e) {
          if (e / width % height % sh == phase / 2 && e % width % 2 == phase % 2) dx[e] = 0;
        }
        continue;
      }
      present.push_back(static_cast<std::int64_t>(phase));
      node.inputs.push_back("phase" + std::to_string(phase));
      const Array values = phase_of(dx, height, width, sh, 2, phase / 2, phase % 2);
      feeds[node.inputs.back()] = {{2, 2 * block, static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)},
                                   blocked(values, rows * columns)};
    }
    if (present.size() < 2 * sh || i % 4 == 0) node.attributes.emplace_back("present", present);
    if (masked) {
      node.inputs.emplace_back("y");
      node.attributes.emplace_back("masked", std::int64_t{1});
      feeds["y"] = {dims, blocked(y.values, height * width)};
    }
    with_mask(node, rule);
    for (std::size_t e = 0; e < dx.size(); ++e) dx[e] = through(rule, dx[e], y.values[e]);
    graphs.expect(node, feeds, {{dims, blocked(dx, height * width)}}, i % 2 == 0);
  }
  const Tensor phase{{1, 1, 2, 2}, Array(4)};
  const std::vector<std::int64_t> one_two{1, 2};
  const std::vector<std::int64_t> two_three{2, 3};
  const Node good{"PhaseInterleave", {"a", "b"}, {"dx"}, {{"strides", one_two}, {"sizes", two_three}}};
  const auto refuse = [&](const Attribute& attribute, const std::vector<std::string>& parts) {
    Node node = good;
    node.attributes.push_back(attribute);
    graphs.refuse(node, {{"a", phase}, {"b", phase}}, parts);
  };
  graphs.refuse(good, {{"a", phase}, {"b", phase}},
                {"PhaseInterleave_node", "phase 1 is [1, 1, 2, 2], it must be [1, 1, 2, 1]"});
  refuse({"rule", "guided"}, {"the rule needs y"});
  refuse({"masked", std::int64_t{1}}, {"there are 2 inputs", "stand for 3"});
  refuse({"present", std::vector<std::int64_t>{0, 0}}, {"at most once"});
  refuse({"block", std::int64_t{8}}, {"PhaseInterleave"});
}

void test_conv_weight_grad(const Graphs& graphs) {
  Generator generator(27);
  for (int i = 0; i < 24; ++i) {
    // Some maps so large that they are taken in bands of rows.
    const int most = i % 8 == 0 ? 70 : 12;
    const std::int64_t groups = generator.integer(1, 3);
    const std::vector<std::int64_t> shape{groups * generator.integer(1, 6), generator.integer(1, 4), generator.integer(1, 4),
                                          generator.integer(1, 5)};
    std::vector<std::int64_t> strides;
    std::vector<std::int64_t> dilations;
    std::vector<std::int64_t> pads;
    std::vector<std::int64_t> slid_dims{3, groups * shape[1]};
    std::vector<std::int64_t> fixed_dims{3, shape[0]};
    for (std::size_t axis = 0; axis < 2; ++axis) {
      strides.push_back(generator.integer(1, 3));
      dilations.push_back(generator.integer(1, 2));
      pads.push_back(generator.integer(0, 3));
      slid_dims.push_back(generator.integer(1, most));
      fixed_dims.push_back(generator.integer(1, most));
    }
    const Tensor slid = tied(generator, slid_dims);
    const Tensor fixed = tied(generator, fixed_dims);
    const auto at = [](const std::vector<std::int64_t>& dims, std::int64_t n, std::int64_t c, std::int64_t y,
                       std::int64_t x) {
      return static_cast<std::size_t>(((n * dims[1] + c) * dims[2] + y) * dims[3] + x);
    };
    Array expected(static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3]));
    for (std::size_t e = 0; e < expected.size(); ++e) {
      const auto flat = static_cast<std::int64_t>(e);
      const std::int64_t f = flat / (shape[1] * shape[2] * shape[3]);
      const std::int64_t s = flat / (shape[2] * shape[3]) % shape[1] + f / (shape[0] / groups) * shape[1];
      double sum = 0;
      for (std::int64_t n = 0; n < 3; ++n) {
        for (std::int64_t oy = 0; oy < fixed_dims[2]; ++oy) {
          for (std::int64_t ox = 0; ox < fixed_dims[3]; ++ox) {
            const std::int64_t y = oy * strides[0] + flat / shape[3] % shape[2] * dilations[0] - pads[0];
            const std::int64_t x = ox * strides[1] + flat % shape[3] * dilations[1] - pads[1];
            if (y < 0 || x < 0 || y >= slid_dims[2] || x >= slid_dims[3]) continue;
            sum += static_cast<double>(fixed.values[at(fixed_dims, n, f, oy, ox)]) *
                   static_cast<double>(slid.values[at(slid_dims, n, s, y, x)]);
          }
        }
      }
      expected[e] = static_cast<float>(sum);
    }
    const Node node{"ConvWeightGrad",
                    {"slid", "fixed"},
                    {"dw"},
                    {{"shape", shape}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}}};
    graphs.expect(node, {{"slid", slid}, {"fixed", fixed}}, {{shape, expected}});
  }
  const std::vector<std::int64_t> ones{1, 1};
  const std::vector<std::int64_t> none{0, 0};
  const Tensor maps{{1, 4, 2, 2}, Array(16)};
  const auto refuse = [&](const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& strides,
                          const std::vector<std::string>& parts) {
    const Node node{"ConvWeightGrad",
                    {"slid", "fixed"},
                    {"dw"},
                    {{"shape", shape}, {"strides", strides}, {"dilations", ones}, {"pads", none}}};
    graphs.refuse(node, {{"slid", maps}, {"fixed", maps}}, parts);
  };
  refuse({4, 3, 1, 1}, ones, {"ConvWeightGrad_node", "do not fit weights [4, 3, 1, 1]"});
  refuse({4, 4, 1}, ones, {"shape must be four numbers"});
  refuse({4, 4, 1, 1}, {1, 0}, {"strides must be two numbers from 1 on"});
}

/// dy is made and used up inside the graph, so ReluGrad may write where dy is; y and dy are read once more elsewhere.
void test_in_place(Report& report, const TestEnvironment& environment, const us::ort::SessionOptions* options) {
  const std::vector<std::int64_t> dims{4096};
  const Node relu{"Relu", {"z"}, {"y"}, {}, ""};
  const Node scaled{"Add", {"r", "r"}, {"dy"}, {}, ""};
  const Node grad{"ReluGrad", {"y", "dy"}, {"dx"}, {{"rule", "gradient"}}};
  const Node more{"Sub", {"dx", "y"}, {"sum"}, {}, ""};
  const TestSession session(environment, options,
                            model_bytes({{"z", dims}, {"r", dims}}, {relu, scaled, grad, more}, {"sum"}));
  Generator generator(26);
  const Tensor z = tied(generator, dims);
  const Tensor r = tied(generator, dims);
  const std::vector<Tensor> results = session.run({{"z", z}, {"r", r}}, {"sum"});
  for (std::size_t e = 0; e < z.values.size(); ++e) {
    const float y = z.values[e] > 0 ? z.values[e] : 0;
    const float expected = (y > 0 ? 2 * r.values[e] : 0) - y;
    if (!report.check(results[0].values[e] == expected, "ReluGrad in place: [%zu] is wrong", e)) return;
  }
}

/// Gives how many runs and sessions the operators have refused.
int test_all(Report& report, const TestEnvironment& environment, const us::ort::SessionOptions* options) {
  const Graphs graphs(report, environment, options);
  test_relu_grad(graphs);
  test_max_pool_grad(graphs);
  test_split_relu_grad(graphs);
  test_global_average_pool_grad(graphs);
  test_phase_interleave(graphs);
  test_conv_weight_grad(graphs);
  test_in_place(report, environment, options);
  return graphs.refusals();
}

}  // namespace

void test_in_graphs(Report& report, const std::string& runtime, const std::string& operators) {
  const TestEnvironment environment(runtime);
  const Api& api = environment.api();
  {
    const auto domain = us::ort::make(api, api.ReleaseCustomOpDomain, api.CreateCustomOpDomain, "unitscope");
    for (const us::ort::CustomOp* const op : counted_operators(api)) {
      us::ort::check(api, api.CustomOpDomain_Add(domain.get(), op));
    }
    const Options options = make_options(environment, 2);
    us::ort::check(api, api.AddCustomOpDomain(options.get(), domain.get()));
    const int refused = test_all(report, environment, options.get());
    report.check(statuses_kept() == refused, "%d refusals left %d statuses", refused, statuses_kept());
    report.check(objects_kept() == 0, "%d objects of ONNX Runtime's were not given back", objects_kept());
  }
  using Register = us::ort::Status* (*)(us::ort::SessionOptions*, const char*, void**);
  constexpr std::size_t kRegisterCustomOpsLibrary = 29;
  void* const member = reinterpret_cast<void* const*>(&api)[kRegisterCustomOpsLibrary];
  const auto register_library = reinterpret_cast<Register>(member);
  // Twice: a program may make several sets of options.
  for (int threads = 1; threads <= 2; ++threads) {
    const Options options = make_options(environment, threads);
    void* handle = nullptr;
    us::ort::check(api, register_library(options.get(), operators.c_str(), &handle));
    test_all(report, environment, options.get());
  }
}
