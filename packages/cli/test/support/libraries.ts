import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { TemporaryFolder } from './files.js';

/** The library the engine native runs on, that of the installed package. */
const installed = (): string => {
  const model = createRequire(import.meta.url).resolve('@unitscope/model');
  const manifest = createRequire(model).resolve('onnxruntime-node/package.json');
  const { platform, arch } = process;
  return join(dirname(manifest), 'bin', 'napi-v6', platform, arch, 'libonnxruntime.so.1');
};

const BASE = `
typedef struct { const void *(*get_api)(unsigned); const char *(*get_version)(void); } Base;
`;

/** Says that it is another version. */
const OTHER_VERSION = `${BASE}
static const void *get_api(unsigned version) { (void)version; return 0; }
static const char *get_version(void) { return "1.29.1"; }
static const Base base = {get_api, get_version};
const Base *OrtGetApiBase(void) { return &base; }
`;

/** ONNX Runtime itself, but for the first number of every result, which is one too large. */
const WRONG_VALUES = (library: string) => `
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
${BASE}
enum { RUN = 9, GET_TENSOR_MUTABLE_DATA = 51, COPIED = 280 };
typedef void *(*Run)(void *, const void *, const char *const *, const void *const *, size_t, const char *const *, size_t,
                     void **);
typedef void *(*GetData)(void *, void **);
static void *members[COPIED];
static Run real_run;
static const Base *real;
static void *run(void *session, const void *options, const char *const *names, const void *const *inputs, size_t count,
                 const char *const *output_names, size_t output_count, void **outputs) {
  void *status = real_run(session, options, names, inputs, count, output_names, output_count, outputs);
  void *data = 0;
  if (status == 0 && output_count > 0) ((GetData)members[GET_TENSOR_MUTABLE_DATA])(outputs[0], &data);
  if (data != 0) *(float *)data += 1.0f;
  return status;
}
static const void *get_api(unsigned version) {
  const void *table = real->get_api(version);
  if (table == 0) return 0;
  memcpy(members, table, sizeof members);
  real_run = (Run)members[RUN];
  members[RUN] = (void *)run;
  return members;
}
static const char *get_version(void) { return real->get_version(); }
static const Base base = {get_api, get_version};
const Base *OrtGetApiBase(void) {
  void *library = dlopen("${library}", RTLD_NOW | RTLD_LOCAL);
  real = ((const Base *(*)(void))dlsym(library, "OrtGetApiBase"))();
  return &base;
}
`;

/** Whether a C compiler is there to make libraries with; says so where it is not. */
export function canCompile(): boolean {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('SKIPPED: there is no C compiler cc, so no library is made that is not what it should be');
    return false;
  }
}

function compile(folder: TemporaryFolder, name: string, source: string): string {
  const [input, output] = [folder.at(`${name}.c`), folder.at(`lib${name}.so`)];
  writeFileSync(input, source);
  execFileSync('cc', ['-shared', '-fPIC', '-o', output, input, '-ldl']);
  return output;
}

/** Libraries that the engine native must refuse, by what is wrong with them; `folder` is where they are made. */
export const unsoundLibraries: Readonly<Record<string, (folder: TemporaryFolder) => string>> = {
  'is not there': (folder) => folder.at('absent.so'),
  'is text': (folder) => {
    const path = folder.at('text.so');
    writeFileSync(path, 'no library\n');
    return path;
  },
  'is cut short': (folder) => {
    const path = folder.at('short.so');
    writeFileSync(path, readFileSync(installed()).subarray(0, 1_000_000));
    return path;
  },
  'is another library': (folder) => {
    const path = folder.at('other.node');
    copyFileSync(join(dirname(installed()), 'onnxruntime_binding.node'), path);
    return path;
  },
  'is another version': (folder) => compile(folder, 'version', OTHER_VERSION),
  'computes something else': (folder) => compile(folder, 'wrong', WRONG_VALUES(installed())),
};
