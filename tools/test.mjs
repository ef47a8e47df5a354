// `npm test`: sets the checkout up, then every check: formatting and lint, import directions, native conformance,
// and each package's tests.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkNativeSources } from './clang-tidy.mjs';
import { root, run, setUp } from './setup.mjs';

await setUp();
const bin = (name) => join(root, 'node_modules', '.bin', name);
run(bin('biome'), ['ci', '--error-on-warnings', '.']);
run(process.execPath, [join(root, 'tools', 'check-imports.mjs')]);
if (existsSync(join(root, 'native', '.clang-tidy'))) {
  if (spawnSync('clang-tidy', ['--version'], { stdio: 'ignore' }).status === 0) {
    await checkNativeSources();
  } else {
    console.log('clang-tidy: SKIPPED, it is not installed (apt-get install clang-tidy)');
  }
}
run(bin('turbo'), ['run', 'test', '--concurrency=1', '--continue', ...process.argv.slice(2)]);
