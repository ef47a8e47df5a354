#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "harness.hpp"

extern "C" int header_abi_version(void);

namespace {

constexpr us_execution kCpu{US_BACKEND_CPU, 1, nullptr};

us_pool2d_params good_params() { return {1, 4, 4, 2, 2, {2, 2}, {2, 2}, {0, 0}, {0, 0}, {1, 1}}; }

void test_wrong_params(Report& report) {
  std::vector<float> x(16);
  std::vector<float> y(4);
  std::vector<std::uint8_t> switches(4);
  const auto status_of = [&](const us_pool2d_params& params) {
    return us_max_pool(&kCpu, &params, x.data(), y.data(), switches.data());
  };
  report.check(status_of(good_params()) == US_OK, "good params are taken");

  constexpr std::int32_t kHuge = std::numeric_limits<std::int32_t>::max();
  using Spoil = void (*)(us_pool2d_params&);
  const Spoil spoils[] = {
      [](us_pool2d_params& p) { p.planes = -1; },
      [](us_pool2d_params& p) { p.planes = std::numeric_limits<std::int64_t>::max(); },
      [](us_pool2d_params& p) { p.height = 0; },
      [](us_pool2d_params& p) { p.width = -4; },
      [](us_pool2d_params& p) { p.kernel[0] = 0; },
      [](us_pool2d_params& p) { p.kernel[0] = p.kernel[1] = 16; },
      [](us_pool2d_params& p) { p.kernel[1] = kHuge; },
      [](us_pool2d_params& p) { p.stride[1] = 0; },
      [](us_pool2d_params& p) { p.dilation[0] = 0; },
      [](us_pool2d_params& p) { p.dilation[0] = kHuge; },
      [](us_pool2d_params& p) { p.pad_begin[1] = -1; },
      [](us_pool2d_params& p) { p.pad_end[1] = kHuge; },
      [](us_pool2d_params& p) { p.out_height = 3; },
      [](us_pool2d_params& p) { p.out_width = 0; },
      [](us_pool2d_params& p) { p.pad_begin[0] = 2, p.out_height = 3; },
  };
  int number = 0;
  for (const Spoil spoil : spoils) {
    us_pool2d_params params = good_params();
    spoil(params);
    report.check(status_of(params) == US_INVALID_ARGUMENT, "wrong params %d are refused", number++);
    report.check(us_last_error_message()[0] != '\0', "wrong params %d have a message", number);
  }
}

void test_wrong_pointers(Report& report) {
  const us_pool2d_params params = good_params();
  std::vector<float> x(16);
  std::vector<float> y(4);
  std::vector<std::uint8_t> switches(4);
  report.check(us_max_pool(nullptr, &params, x.data(), y.data(), switches.data()) == US_INVALID_ARGUMENT, "no execution");
  report.check(us_max_pool(&kCpu, nullptr, x.data(), y.data(), switches.data()) == US_INVALID_ARGUMENT, "no params");
  report.check(us_max_pool(&kCpu, &params, nullptr, y.data(), switches.data()) == US_INVALID_ARGUMENT, "no x");
  report.check(us_max_pool(&kCpu, &params, x.data(), x.data() + 15, switches.data()) == US_INVALID_ARGUMENT, "y inside x");
  report.check(us_max_pool_backward(&kCpu, &params, US_SIGNAL_RULE_NONE, x.data(), y.data(), x.data()) == US_INVALID_ARGUMENT, "dx is x");
  const auto rule = static_cast<us_signal_rule>(4);
  float dx[16];
  report.check(us_max_pool_backward(&kCpu, &params, rule, x.data(), y.data(), dx) == US_INVALID_ARGUMENT, "no such rule");
  const auto mode = static_cast<us_unpool_mode>(2);
  report.check(us_unpool(&kCpu, &params, mode, US_SIGNAL_RULE_NONE, y.data(), switches.data(), x.data()) == US_INVALID_ARGUMENT, "no such mode");
  for (const us_signal_rule masked : {US_SIGNAL_RULE_GRADIENT, US_SIGNAL_RULE_GUIDED, rule}) {
    report.check(us_unpool(&kCpu, &params, US_UNPOOL_ACCUMULATE, masked, y.data(), switches.data(), x.data()) == US_INVALID_ARGUMENT,
                 "unpool with a rule that needs x");
  }
  us_pool2d_params empty = params;
  empty.planes = 0;
  report.check(us_max_pool(&kCpu, &empty, nullptr, nullptr, nullptr) == US_OK, "an empty batch needs no memory");
  const us_execution negative{US_BACKEND_CPU, -1, nullptr};
  report.check(us_max_pool(&negative, &params, x.data(), y.data(), switches.data()) == US_INVALID_ARGUMENT, "negative threads");
  const us_execution unknown{static_cast<us_backend>(7), 0, nullptr};
  report.check(us_max_pool(&unknown, &params, x.data(), y.data(), switches.data()) == US_INVALID_ARGUMENT, "no such back end");
}

void test_output_sizes(Report& report) {
  const struct {
    int size, kernel, stride, pad, dilation, ceil_mode, expected;
  } sizes[] = {
      {13, 3, 2, 0, 1, 0, 6},  {14, 3, 2, 0, 1, 0, 6}, {14, 3, 2, 0, 1, 1, 7}, {13, 3, 2, 1, 1, 0, 7},
      {112, 3, 2, 1, 1, 0, 56}, {9, 3, 1, 2, 2, 0, 9},  {4, 1, 3, 0, 1, 1, 2},  {1, 1, 1, 0, 1, 0, 1},
      {4, 2, 3, 1, 1, 1, 2},  // the window at 5 would start in the end padding
  };
  for (const auto& each : sizes) {
    us_pool2d_params params{1, each.size, each.size, 0, 0, {each.kernel, each.kernel}, {each.stride, each.stride},
                            {each.pad, each.pad}, {each.pad, each.pad}, {each.dilation, each.dilation}};
    report.check(us_pool2d_output_size(&params, each.ceil_mode) == US_OK, "size %d: %s", each.size, us_last_error_message());
    report.check(params.out_height == each.expected && params.out_width == each.expected, "size %d gives %d, not %d", each.size,
                 params.out_height, each.expected);
  }
}

void test_names(Report& report) {
  report.check(header_abi_version() == US_ABI_VERSION, "the header is C");
  report.check(us_check_abi(US_ABI_VERSION) == US_OK, "the library's own binary interface is taken");
  report.check(us_check_abi(US_ABI_VERSION + 1) == US_UNSUPPORTED, "another binary interface is refused");
  report.check(us_last_error_message()[0] != '\0', "another binary interface has a message");
  report.check(std::string(us_kernel_name(US_KERNEL_MAX_POOL)) == "max_pool", "kernels have names");
  report.check(us_kernel_name(US_KERNEL_COUNT) == nullptr, "what is no kernel has none");
  report.check(us_backend_name(US_BACKEND_COUNT) == nullptr, "what is no back end has no name");
  for (int kernel = 0; kernel < US_KERNEL_COUNT; ++kernel) {
    const auto each = static_cast<us_kernel>(kernel);
    report.check(us_backend_supports(US_BACKEND_CPU, each) == US_OK, "the CPU has %s", us_kernel_name(each));
  }
}

void test_messages_per_thread(Report& report) {
  us_max_pool(nullptr, nullptr, nullptr, nullptr, nullptr);
  std::string other = "not read";
  std::thread([&] { other = us_last_error_message(); }).join();
  report.check(other.empty(), "another thread's message is its own");
  report.check(std::string(us_last_error_message()) == "execution must not be NULL", "the message is kept");
}

}  // namespace

void test_interface(Report& report) {
  test_names(report);
  test_output_sizes(report);
  test_wrong_params(report);
  test_wrong_pointers(report);
  test_messages_per_thread(report);
}
