// What is published: the content of every tarball, and an installation of the kernels from tarballs alone, offline, where
// no compiler is to be found.
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pack } from '../../../tools/pack.mjs';

interface Packed {
  readonly name: string;
  readonly file: string;
  readonly files: readonly string[];
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly main?: string;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly engines: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
const here: Manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const isPlatform = process.platform === 'linux' && process.arch === 'x64';
const folder = mkdtempSync(join(tmpdir(), 'unitscope-tarballs-'));
const tools = join(folder, 'bin');
let packed: readonly Packed[] = [];

function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`);
  return stdout;
}

/** What a user's machine has: Node, and nothing that builds. */
function bareEnv(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { PATH: tools, HOME: folder, ...more };
}

function npmProgram(): string {
  for (const place of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      return realpathSync(join(place, 'npm'));
    } catch {
      // The next folder may have it.
    }
  }
  throw new Error('npm is not on the PATH');
}

/** Tarballs of the packages of others that these need, from the checkout's node_modules. */
function packOthers(names: readonly string[]): Map<string, string> {
  const tarballs = new Map<string, string>();
  const waiting = [...names];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (tarballs.has(name)) continue;
    const source = join(root, 'node_modules', name);
    const options = ['--json', '--ignore-scripts', '--pack-destination', folder];
    const [{ filename }] = JSON.parse(run('npm', ['pack', ...options, source], folder, process.env));
    tarballs.set(name, join(folder, filename));
    const manifest: Manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
    waiting.push(...Object.keys(manifest.dependencies ?? {}));
  }
  return tarballs;
}

/** Installs the kernels, with or without the platform package, into an empty folder. */
function install(name: string, others: ReadonlyMap<string, string>, withAddon: boolean): string {
  const target = join(folder, name);
  mkdirSync(target);
  const ours = packed.filter((each) => each.name !== here.name || withAddon);
  const chosen = ours.filter((each) => /\/(tensor|kernels|kernels-linux-x64)$/.test(each.name));
  const dependencies = Object.fromEntries([
    ...chosen.map((each) => [each.name, `file:${each.file}`]),
    ...[...others].map(([other, file]) => [other, `file:${file}`]),
  ]);
  writeFileSync(
    join(target, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies }),
  );
  const options = [
    '--offline',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--cache',
    join(folder, 'cache'),
  ];
  run(process.execPath, [npmProgram(), 'install', ...options], target, bareEnv());
  return target;
}

function evaluate(program: string, cwd: string, env: Readonly<Record<string, string>> = {}): string {
  return run(process.execPath, ['--input-type=module', '--eval', program], cwd, bareEnv(env));
}

beforeAll(() => {
  mkdirSync(tools);
  symlinkSync(process.execPath, join(tools, 'node'));
  packed = pack(folder);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('every tarball', () => {
  it('has what its manifest names, its license and README, and no tests', () => {
    const workspace: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const license = readFileSync(join(root, 'LICENSE'), 'utf8');
    expect(packed.map(({ name }) => name)).toContain('unitscope');
    for (const { name, file, files } of packed) {
      const read = (path: string) => run('tar', ['-xOf', file, `package/${path}`], folder, process.env);
      const manifest: Manifest = JSON.parse(read('package.json'));
      expect(manifest.private, name).toBeUndefined();
      expect(manifest.engines['node'], name).toBe(workspace.engines['node']);
      expect(read('LICENSE') === license, `${name} has the license of the repository`).toBe(true);
      expect(read('README.md'), name).toMatch(new RegExp(`^# ${manifest.name}\n`));
      const targets = [
        ...Object.values(manifest.exports ?? {}).flatMap((conditions) => Object.values(conditions)),
        ...Object.values(manifest.bin ?? {}),
        ...(manifest.main === undefined ? [] : [manifest.main]),
      ].map((path) => path.replace(/^\.\//, ''));
      expect(targets, name).not.toEqual([]);
      expect(files, name).toEqual(expect.arrayContaining(targets));
      expect(
        files.filter((path) => /(^|\/)(test|node_modules)\/|\.tsbuildinfo$|\.test\./.test(path)),
        name,
      ).toEqual([]);
      // A source map leads to its source.
      for (const path of files.filter((each) => each.endsWith('.js.map'))) {
        expect(files, name).toContain(path.replace(/^dist\//, 'src/').replace(/\.js\.map$/, '.ts'));
      }
      const needs = { ...manifest.dependencies, ...manifest.optionalDependencies };
      for (const [other, version] of Object.entries(needs)) {
        if (other.startsWith('@unitscope/')) expect(version, `${name} needs ${other}`).toBe(manifest.version);
      }
    }
  });
});

if (!isPlatform)
  console.warn(`SKIPPED: ${here.name} is not installed on ${process.platform}-${process.arch}`);

describe.skipIf(!isPlatform)('the kernels, installed from tarballs', () => {
  let installed = '';
  let without = '';

  beforeAll(() => {
    const tensor: Manifest = JSON.parse(
      readFileSync(join(root, 'packages', 'tensor', 'package.json'), 'utf8'),
    );
    const others = packOthers(Object.keys(tensor.dependencies ?? {}));
    installed = install('installed', others, true);
    without = install('without', others, false);
  });

  const firstBackend = `
    import { listBackends } from '@unitscope/kernels';
    const [{ available, device, reason }] = listBackends();
    console.log(JSON.stringify({ available, device, reason }));`;

  it.each(['tensor', 'kernels', 'kernels-linux-x64'])('run the README of %s', (name) => {
    const readme = readFileSync(join(root, 'packages', name, 'README.md'), 'utf8');
    const [, snippet = ''] = /```js\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(evaluate(snippet, installed)).toMatch(/\[ 2, 3 \]|^cpu Float32Array\(4\)|available: true/);
  });

  it('are for this platform alone', () => {
    const path = join(installed, 'node_modules', here.name, 'package.json');
    const platform = { os: ['linux'], cpu: ['x64'], libc: ['glibc'] };
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject(platform);
  });

  it('run on the instructions that every x86-64 has, where that is asked for', () => {
    expect(JSON.parse(evaluate(firstBackend, installed, { UNITSCOPE_ISA: 'baseline' }))).toEqual({
      available: true,
      device: 'baseline',
      reason: '',
    });
  });

  it('say what to install where the addon is missing', () => {
    const { available, reason } = JSON.parse(evaluate(firstBackend, without));
    expect(available).toBe(false);
    const glibc = here.engines['glibc']?.replace('>=', '');
    expect(reason).toMatch(
      new RegExp(`^the native kernels cannot be loaded; install ${here.name} .*glibc ${glibc} or newer`),
    );
    expect(reason).toMatch(new RegExp(`Tried: ${here.name} is not there$`));
    const reference = `
      import { maxPoolSync } from '@unitscope/kernels';
      import { zeros } from '@unitscope/tensor';
      console.log(maxPoolSync(zeros([1, 2, 2]), { kernel: 2 }, { backend: 'reference' }).backend);`;
    expect(evaluate(reference, without)).toBe('reference\n');
  });

  it('need a name in UNITSCOPE_ADDON that is one', () => {
    const { reason } = JSON.parse(evaluate(firstBackend, installed, { UNITSCOPE_ADDON: '/nowhere.node' }));
    expect(reason).toMatch(/; let UNITSCOPE_ADDON name .* Tried: \/nowhere\.node is not there$/);
  });
});
