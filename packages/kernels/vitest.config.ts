import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The CUDA kernels on the CPU, as the native build makes them for its tests; only on Linux and x86-64. */
const emulated = fileURLToPath(
  new URL('../../native/build/test/emulation/libunitscope_cuda_emulated.so', import.meta.url),
);
const hasEmulation = existsSync(emulated);
if (!hasEmulation) console.warn(`conformance tests skip the emulation of CUDA: there is no ${emulated}`);

/** Only a test that hangs may fail by the clock, however busy the machine is. */
const testTimeout = 120_000;

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'native', testTimeout } },
      {
        test: {
          name: 'emulated CUDA',
          include: hasEmulation ? ['test/conformance.test.ts', 'test/device-*.test.ts'] : [],
          // The library is chosen by the environment of the process, which worker threads do not have of their own.
          pool: 'forks',
          env: { UNITSCOPE_CUDA_LIBRARY: emulated },
          testTimeout,
        },
      },
    ],
  },
});
