#include "ort/api.hpp"

// An ONNX Runtime of another version. Whoever asks it for its table has not looked at the version.
namespace {

const us::ort::Api* get_api(std::uint32_t /*version*/) { return nullptr; }
const char* get_version() { return "1.29.0"; }

}  // namespace

extern "C" const us::ort::ApiBase* OrtGetApiBase();
extern "C" const us::ort::ApiBase* OrtGetApiBase() {
  static const us::ort::ApiBase base{get_api, get_version};
  return &base;
}
