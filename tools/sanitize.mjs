// The native sources once more, built with AddressSanitizer and UndefinedBehaviorSanitizer: the native tests, and the
// addon under Node with the kernels' cases and with wrong arguments. CUDA's kernels take part through their emulation.
// It is slow, so sources that were clean are not run again.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { root, run, step } from './setup.mjs';

const build = join(root, 'native', 'build-sanitized');
const emulation = join(build, 'test', 'emulation', 'libunitscope_cuda_emulated.so');

/** What is found ends the process. Node keeps memory until it ends, so leaks are looked for in the native tests only. */
const options = (leaks) => ({
  ASAN_OPTIONS: `abort_on_error=1:allocator_may_return_null=1:detect_stack_use_after_return=0:detect_leaks=${leaks}`,
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
});

/** A library of the compiler's, or undefined where it has none. */
function libraryOf(compiler, name) {
  const { stdout } = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' });
  const path = stdout?.trim();
  return path !== undefined && path !== name && existsSync(path) ? path : undefined;
}

export async function checkWithSanitizers() {
  const compiler = process.env.CXX ?? 'g++';
  const sanitizer = libraryOf(compiler, 'libasan.so');
  const library = libraryOf(compiler, 'libstdc++.so');
  if (process.platform !== 'linux' || sanitizer === undefined || library === undefined) {
    console.warn(`the sanitizers are skipped: ${compiler} on ${process.platform} has no libasan.so`);
    return;
  }
  await step(
    'running the native sources under the sanitizers',
    ['native', 'cuda', 'packages/kernels/src', 'packages/kernels/test'],
    () => true,
    () => {
      const headers = createRequire(join(root, 'native', 'package.json'));
      const includes = [
        headers('node-api-headers').include_dir,
        dirname(headers.resolve('node-addon-api/package.json')),
      ];
      run('cmake', [
        ...['-S', join(root, 'native'), '-B', build, '-DUS_SANITIZE=address,undefined', '-DUS_CUDA=OFF'],
        ...[
          '-DUS_NODE=ON',
          '-DUS_TESTS=ON',
          `-DCMAKE_CXX_COMPILER=${compiler}`,
          `-DCMAKE_JS_INC=${includes.join(';')}`,
        ],
      ]);
      const jobs = String(availableParallelism());
      run('cmake', ['--build', build, '--parallel', jobs]);
      // Each instruction set and one order of the emulation's threads.
      const again = '^(cpu_chosen|cuda_emulated_1|cuda_emulated_deterministic)$';
      const tests = [
        '--test-dir',
        build,
        '--exclude-regex',
        again,
        '--output-on-failure',
        '--parallel',
        jobs,
      ];
      run('ctest', tests, { env: options(1) });
      run(
        process.execPath,
        [
          join(root, 'node_modules', 'vitest', 'vitest.mjs'),
          ...['run', '--project', 'native', 'conformance', 'arguments', 'device', 'runtime'],
          // Memory that was freed is kept for a while, to see who still uses it: its return cannot be measured here.
          ...[
            '--testNamePattern',
            '^(?!.*(memory that nobody frees|no memory of sessions|memory of results back))',
          ],
        ],
        {
          cwd: join(root, 'packages', 'kernels'),
          env: {
            ...options(0),
            LD_PRELOAD: `${sanitizer} ${library}`,
            UNITSCOPE_ADDON: join(build, 'unitscope.node'),
            UNITSCOPE_CUDA_LIBRARY: existsSync(emulation) ? emulation : '',
          },
        },
      );
    },
  );
  console.log('sanitizers: the native tests and the addon are clean');
}
