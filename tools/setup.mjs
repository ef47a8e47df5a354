// Everything a fresh checkout needs before it runs: dependencies, the native addon, the TypeScript build.
// Each step is skipped when what it depends on has not changed since it last succeeded.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, 'node_modules', '.unitscope-setup.json');

/** Runs a command in the checkout with its output shown; ends this process with the command's code if it fails. */
export function run(command, args, { cwd = root, env = {} } = {}) {
  const { status, error, signal } = spawnSync(command, args, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', ...env },
  });
  if (error) fail(`${command} cannot be started: ${error.message}`);
  if (status !== 0) fail(`${command} ${args.join(' ')} failed${signal ? ` (${signal})` : ''}`, status ?? 1);
}

/** Ends this process with one line. */
export function fail(message, code = 1) {
  console.error(`unitscope: ${message}`);
  process.exit(code);
}

function works(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function hashOf(paths) {
  const hash = createHash('sha256');
  const visit = (path) => {
    for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      if (['build', 'build-sanitized', 'node_modules'].includes(entry.name)) continue;
      const child = join(path, entry.name);
      if (entry.isDirectory()) visit(child);
      else if (entry.isFile()) hash.update(child.slice(root.length)).update(readFileSync(child));
    }
  };
  for (const path of paths) {
    const full = join(root, path);
    if (!existsSync(full)) continue;
    if (path.endsWith('.json')) hash.update(path).update(readFileSync(full));
    else visit(full);
  }
  return hash.update(process.version).update(process.arch).digest('hex');
}

function readStamps() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    return {};
  }
}

/** Runs an action, unless it has succeeded before on the same content of `paths` and what it made is still there. */
export async function step(name, paths, isThere, action) {
  const hash = hashOf(paths);
  if (isThere() && readStamps()[name] === hash) return;
  console.log(`unitscope: ${name}`);
  await action();
  writeFileSync(stampFile, JSON.stringify({ ...readStamps(), [name]: hash }, null, 2));
}

export async function setUp() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Node ${process.versions.node} is too old; install Node 20.19 or newer (https://nodejs.org)`);
  }
  await step(
    'installing dependencies',
    ['package-lock.json'],
    () => existsSync(join(root, 'node_modules', 'typescript')),
    () => run('npm', ['ci', '--no-audit', '--no-fund']),
  );
  await step(
    'building the native kernels',
    ['native', 'cuda'],
    () => existsSync(join(root, 'native', 'build', 'Release', 'unitscope.node')),
    () => {
      requireBuildTools();
      run('npm', ['run', '--silent', 'build'], { cwd: join(root, 'native') });
    },
  );
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b']);
}

function requireBuildTools() {
  const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  if (!compilers.some(works)) {
    fail(
      `no C++ compiler found (tried ${compilers.join(', ')}); install one: apt-get install g++ (Debian), xcode-select --install (macOS)`,
    );
  }
  if (!works('cmake'))
    fail('cmake not found; install it: apt-get install cmake (Debian), brew install cmake (macOS)');
  if (!works('ninja') && !works('make'))
    fail('neither ninja nor make found; install one: apt-get install ninja-build');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setUp();
