#include "ort/library.hpp"

#include <cstdio>
#include <fstream>
#include <iterator>

#include "onnxruntime/tests.hpp"

using namespace us::ort;

namespace {

void require_refusal(Report& report, const std::string& path, const char* reason) {
  const std::string failure = failure_of([&] { const Library library(path); });
  report.check(failure.find(reason) != std::string::npos && failure.find(path) != std::string::npos,
               "%s is refused by: %s", path.c_str(), failure.c_str());
}

void write(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

}  // namespace

void test_library(Report& report, const Paths& paths) {
  require_refusal(report, paths.library + ".missing", "there is no file");
  require_refusal(report, paths.stub, "is ONNX Runtime 1.29.0, and 1.30.0 is needed");
  require_refusal(report, paths.other, "is not ONNX Runtime");

  const std::string damaged = paths.stub + ".damaged";
  std::ifstream whole(paths.stub, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(whole), std::istreambuf_iterator<char>()};
  write(damaged, "no library at all, but longer than the header of one would be: 64 bytes");
  require_refusal(report, damaged, "is not a library");
  const std::vector<std::size_t> lengths{0, 20, 64, bytes.size() / 2, bytes.size() - 1};
  for (const std::size_t length : lengths) {
    write(damaged, bytes.substr(0, length));
    require_refusal(report, damaged, length < 64 ? "is not a library" : "is cut short");
  }
  std::remove(damaged.c_str());

  const Library first(paths.library);
  const Library second(paths.library);
  report.check(&first.api() == &second.api(), "a library that is opened twice is one");
}
