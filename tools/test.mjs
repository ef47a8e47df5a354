// `npm test`: sets the checkout up, then every check: formatting and lint, import directions, clang-tidy, sanitizers,
// native conformance, and each package's tests.
import { join } from 'node:path';
import { checkNativeSources } from './clang-tidy.mjs';
import { ensureDebianPackage, hasCommand, hasPackage, hasPythonModule } from './debian.mjs';
import { checkWithSanitizers } from './sanitize.mjs';
import { root, run, setUp } from './setup.mjs';

await setUp();
const bin = (name) => join(root, 'node_modules', '.bin', name);
run(bin('biome'), ['ci', '--error-on-warnings', '.']);
run(process.execPath, [join(root, 'tools', 'check-imports.mjs')]);
if (ensureDebianPackage('clang-tidy', hasCommand('clang-tidy'))) await checkNativeSources();
await checkWithSanitizers();
ensureDebianPackage('libonnx-testdata', hasPackage('libonnx-testdata'));
// The examples of embedding are built by pkg-config too, and run on NumPy arrays.
ensureDebianPackage('pkg-config', hasCommand('pkg-config'));
ensureDebianPackage('python3-numpy', hasPythonModule('numpy'));
run(bin('turbo'), ['run', 'test', '--concurrency=1', '--continue', ...process.argv.slice(2)]);
