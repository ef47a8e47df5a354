#include "ort/self_check.hpp"

#include <cstring>
#include <string>

#include "ort/model_bytes.hpp"
#include "ort/run.hpp"
#include "ort/session.hpp"

namespace us::ort {
namespace {

struct NamedValues {
  const char* name;
  std::vector<std::int64_t> dims;
  std::vector<float> values;
};

std::shared_ptr<LoadedSession> load(const std::shared_ptr<const Runtime>& runtime, const std::string& model) {
  return std::make_shared<LoadedSession>(runtime, model.data(), model.size(), LoadOptions{});
}

/// The first output of a session of float32 tensors.
std::vector<float> run(const std::shared_ptr<LoadedSession>& session, const std::vector<NamedValues>& feeds) {
  std::vector<Feed> given;
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    const NamedValues& feed = feeds[i];
    if (session->inputs().at(i).name != feed.name || session->inputs()[i].type != kFloat) {
      throw Failure(std::string("the input \"") + feed.name + "\" is not found where it is");
    }
    given.push_back({i, feed.values.data(), feed.values.size() * sizeof(float), feed.dims});
  }
  const std::vector<Result> results = Run(session, given, {0}).execute();
  std::vector<float> values(results.front().bytes / sizeof(float));
  std::memcpy(values.data(), results.front().buffer.data(), values.size() * sizeof(float));
  return values;
}

/// Twice: the second run writes to memory that was bound before it.
void require(const std::shared_ptr<LoadedSession>& session, const std::vector<NamedValues>& feeds,
             const std::vector<float>& expected, const std::string& what) {
  for (int times = 0; times < 2; ++times) {
    if (run(session, feeds) != expected) throw Failure("the self-check failed: " + what + " gives other values");
  }
}

/// Whole numbers of -2 to 2, so that sums are exact in any order. Seeded, for the same values everywhere.
class Numbers {
 public:
  std::vector<float> next(std::size_t count) {
    std::vector<float> values(count);
    for (float& value : values) {
      state_ = state_ * 1664525u + 1013904223u;
      value = static_cast<float>(state_ >> 16) / 65536.0F * 5.0F;
      value = static_cast<float>(static_cast<int>(value) - 2);
    }
    return values;
  }

 private:
  std::uint32_t state_ = 1;
};

/// One convolution of the network below.
struct Filter {
  std::int64_t outputs, inputs, side;
  std::vector<float> weights;
  std::vector<float> bias;

  Filter(Numbers& numbers, std::int64_t to, std::int64_t from, std::int64_t size)
      : outputs(to),
        inputs(from),
        side(size),
        weights(numbers.next(static_cast<std::size_t>(to * from * size * size))),
        bias(numbers.next(static_cast<std::size_t>(to))) {}

  std::vector<std::int64_t> dims() const { return {outputs, inputs, side, side}; }

  /// [O/b, I/c, H, W, c, b] in memory: blocks of b output channels, and of c = b input channels unless the input is
  /// not blocked (c = 1).
  std::vector<float> blocked(std::int64_t b, std::int64_t c) const {
    std::vector<float> values;
    values.reserve(weights.size());
    const std::int64_t area = side * side;
    for (std::int64_t o = 0; o < outputs; o += b)
      for (std::int64_t i = 0; i < inputs; i += c)
        for (std::int64_t at = 0; at < area; ++at)
          for (std::int64_t inner = i; inner < i + c; ++inner)
            for (std::int64_t outer = o; outer < o + b; ++outer)
              values.push_back(weights[static_cast<std::size_t>((outer * inputs + inner) * area + at)]);
    return values;
  }
};

/// A stem of 3 channels with stride 2, a 3x3 convolution with a rectifier, a pooling, and a 1x1 convolution added to
/// its input: what a layout can get wrong. Channels are multiples of 16, so that every array has its size whatever
/// block ONNX Runtime takes it for.
class BlockNetwork {
 public:
  BlockNetwork() : stem_(numbers_, 32, 3, 3), middle_(numbers_, 32, 32, 3), last_(numbers_, 32, 32, 1) {
    input_ = {"x", {2, 3, 11, 9}, numbers_.next(std::size_t{2} * 3 * 11 * 9)};
  }

  const NamedValues& input() const { return input_; }

  std::string plain() const {
    ModelWriter model = begin({}, stem_.weights, middle_.weights, last_.weights);
    const NodeWriter stem = NodeWriter("Conv", {"x", "w1", "b1"}, {"a"}).integers("strides", {2, 2});
    return model.node(NodeWriter(stem).integers("pads", kPads))
        .node({"Relu", {"a"}, {"b"}})
        .node(NodeWriter("Conv", {"b", "w2", "b2"}, {"c"}).integers("pads", kPads))
        .node({"Relu", {"c"}, {"d"}})
        .node(NodeWriter("MaxPool", {"d"}, {"e"}).integers("kernel_shape", {3, 3}).integers("strides", {2, 2}))
        .node({"Conv", {"e", "w3", "b3"}, {"f"}})
        .node({"Add", {"f", "e"}, {"y"}})
        .bytes();
  }

  std::string blocked(std::int64_t block) const {
    ModelWriter model =
        begin({kBlocked}, stem_.blocked(block, 1), middle_.blocked(block, block), last_.blocked(block, block));
    return model.node(convolution({"x", "w1", "b1"}, "b", 3, 2).integers("pads", kPads).text("activation", "Relu"))
        .node(convolution({"b", "w2", "b2"}, "d", 3, 1).integers("pads", kPads).text("activation", "Relu"))
        .node(NodeWriter("MaxPool", {"d"}, {"e"}, kBlocked)
                  .integers("kernel_shape", {3, 3})
                  .integers("strides", {2, 2}))
        .node(convolution({"e", "w3", "b3", "e"}, "f", 1, 1))
        .node(NodeWriter("ReorderOutput", {"f"}, {"y"}, kBlocked).integer("channels", 32))
        .bytes();
  }

 private:
  static constexpr const char* kBlocked = "com.microsoft.nchwc";
  inline static const std::vector<std::int64_t> kPads = {1, 1, 1, 1};

  static NodeWriter convolution(const std::vector<std::string>& inputs, const char* output, std::int64_t side,
                                std::int64_t stride) {
    NodeWriter node("Conv", inputs, {output}, kBlocked);
    node.integers("kernel_shape", {side, side}).integers("strides", {stride, stride}).integers("dilations", {1, 1});
    node.integer("group", 1);
    return node;
  }

  ModelWriter begin(const std::vector<std::string>& domains, const std::vector<float>& stem,
                    const std::vector<float>& middle, const std::vector<float>& last) const {
    ModelWriter model(domains);
    model.input(input_.name, input_.dims).output("y", {2, 32, 2, 2});
    model.weight({"w1", stem_.dims(), stem}).weight({"b1", {32}, stem_.bias});
    model.weight({"w2", middle_.dims(), middle}).weight({"b2", {32}, middle_.bias});
    model.weight({"w3", last_.dims(), last}).weight({"b3", {32}, last_.bias});
    return model;
  }

  Numbers numbers_;
  Filter stem_, middle_, last_;
  NamedValues input_;
};

/// ReluGrad with the guided rule, and the gradient of a max pooling all of whose windows meet.
void check_operators(const std::shared_ptr<const Runtime>& runtime) {
  const std::string domain = Runtime::kDomain;
  NodeWriter relu_grad("ReluGrad", {"y", "dy"}, {"dx"}, Runtime::kDomain);
  const std::string rectifier = ModelWriter({domain})
                                    .input("y", {1, 2, 1, 3})
                                    .input("dy", {1, 2, 1, 3})
                                    .node(relu_grad.text("rule", "guided"))
                                    .output("dx", {1, 2, 1, 3})
                                    .bytes();
  require(load(runtime, rectifier),
          {{"y", {1, 2, 1, 3}, {0, 1, 2, 0, 3, 4}}, {"dy", {1, 2, 1, 3}, {1, -1, 5, -2, 0, 7}}}, {0, 0, 5, 0, 0, 7},
          "ReluGrad");
  NodeWriter pool_grad("MaxPoolGrad", {"x", "y", "dy"}, {"dx"}, Runtime::kDomain);
  const std::string pooling = ModelWriter({domain})
                                  .input("x", {1, 1, 3, 3})
                                  .input("y", {1, 1, 2, 2})
                                  .input("dy", {1, 1, 2, 2})
                                  .node(pool_grad.integers("kernel_shape", {2, 2}).integers("strides", {1, 1}))
                                  .output("dx", {1, 1, 3, 3})
                                  .bytes();
  require(load(runtime, pooling),
          {{"x", {1, 1, 3, 3}, {1, 2, 1, 0, 9, 3, 5, 5, 4}},
           {"y", {1, 1, 2, 2}, {9, 9, 9, 9}},
           {"dy", {1, 1, 2, 2}, {1, 2, 3, 4}}},
          {0, 0, 0, 0, 10, 0, 0, 0, 0}, "MaxPoolGrad");
}

}  // namespace

void check_values(const std::shared_ptr<const Runtime>& runtime) {
  const std::string difference = ModelWriter()
                                     .input("a", {2, 3})
                                     .input("b", {3})
                                     .node({"Sub", {"a", "b"}, {"y"}})
                                     .output("y", {2, 3})
                                     .bytes();
  require(load(runtime, difference), {{"a", {2, 3}, {1, 2, 3, 4, 5, 6}}, {"b", {3}, {1, -1, 0.5F}}},
          {0, 3, 2.5F, 3, 6, 5.5F}, "a difference");
  check_operators(runtime);
}

std::optional<int> find_block(const std::shared_ptr<const Runtime>& runtime, const std::vector<int>& candidates) {
  const BlockNetwork network;
  const std::vector<float> expected = run(load(runtime, network.plain()), {network.input()});
  for (const int block : candidates) {
    try {
      if (run(load(runtime, network.blocked(block)), {network.input()}) == expected) return block;
    } catch (const Failure&) {
      // An ONNX Runtime without this layout: the next candidate will say the same.
      continue;
    }
  }
  return std::nullopt;
}

}  // namespace us::ort
