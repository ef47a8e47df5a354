#pragma once

#include <napi.h>

namespace us::node {

/// Adds the functions over ONNX Runtime to the addon. Each takes one object; handles are of the addon's making:
///   openRuntime({ library, threads, blocks }) -> Promise<{ runtime, version, threads, block }>
///   loadSession({ runtime, model, files: [{ path, data }], profile }) -> Promise<{ session, inputs, outputs }>
///   startRun({ session, feeds: [{ input, dims, data }], outputs }) -> { run, results: Promise<[{ dims, data }]> }
///   abortRun({ run })
///   lendMemory({ session, bytes }) -> ArrayBuffer, its contents undefined
///   giveBack({ memory })
///   endProfile({ session }) -> Promise<string>
///   releaseSession({ session }) -> Promise<undefined>
/// Promises are rejected by errors with ONNX Runtime's code as their `status`.
void add_runtime(Napi::Env env, Napi::Object exports);

}  // namespace us::node
