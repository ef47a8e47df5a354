// What `cmake --install` leaves works where it was moved to: for CMake, for pkg-config, for Python.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'unitscope-install-'));
const prefix = join(folder, 'moved');
const hasCuda = readdirSync(join(root, 'native', 'build', 'Release')).includes('libunitscope_cuda.so');
const example = join(root, 'examples', 'embed-c');
const cc = process.env['CC'] ?? 'cc';

/** Runs a program; a failure shows what it printed. */
function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, ...env },
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`);
  return stdout;
}

function works(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

const hasPkgConfig = works('pkg-config', ['--version']);
if (!hasPkgConfig) console.warn('SKIPPED: pkg-config is not there (apt-get install pkg-config)');

/** What the C example prints; it looks for the CUDA library beside the file that unitscope is linked into. */
function expectExample(printed: string, cudaBeside: boolean): void {
  expect(printed).toMatch(/^cpu \(.+\): parts at cells 47 and 195, masks as the equation says$/m);
  expect(printed).toMatch(
    cudaBeside ? /^cuda(: not run: no .*CUDA device| \(.+masks as)/m : /^cuda: not run: no CUDA back end/m,
  );
  expect(printed).toMatch(/^in place: invalid-argument: x and y overlap/m);
}

beforeAll(() => {
  const first = join(folder, 'first');
  run('cmake', ['--install', join(root, 'native', 'build'), '--prefix', first]);
  renameSync(first, prefix);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function libraryFolder(): string {
  const [found] = readdirSync(prefix, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('libunitscope.a'),
  );
  if (found === undefined) throw new Error(`no libunitscope.a in ${prefix}`);
  return join(prefix, found, '..');
}

describe('an installation', () => {
  it('has the CUDA library beside the library where it was built', () => {
    expect(existsSync(join(libraryFolder(), 'libunitscope_cuda.so'))).toBe(hasCuda);
  });

  it('has the operators for ONNX Runtime beside the library', () => {
    expect(existsSync(join(libraryFolder(), 'libunitscope_onnxruntime.so'))).toBe(true);
  });

  it.each(['OFF', 'ON'])('is found by CMake, EMBED_STATIC=%s', (linkStatically) => {
    const build = join(folder, `cmake-${linkStatically}`);
    run('cmake', [
      ...['-S', example, '-B', build, '-DCMAKE_BUILD_TYPE=Release', '-DCMAKE_C_FLAGS=-Wall -Wextra -Werror'],
      ...[`-DCMAKE_PREFIX_PATH=${prefix}`, `-DEMBED_STATIC=${linkStatically}`],
    ]);
    run('cmake', ['--build', build]);
    expectExample(run(join(build, 'embed'), []), hasCuda && linkStatically === 'OFF');
  });

  it.skipIf(!hasPkgConfig)('is found by pkg-config', () => {
    const libraries = libraryFolder();
    const env = { PKG_CONFIG_PATH: join(libraries, 'pkgconfig'), LD_LIBRARY_PATH: libraries };
    const flags = run('pkg-config', ['--cflags', '--libs', 'unitscope'], env).trim().split(/\s+/);
    const program = join(folder, 'by-pkg-config');
    run(cc, ['-std=c11', join(example, 'main.c'), ...flags, '-o', program]);
    expectExample(run(program, [], env), hasCuda);
  });

  it.skipIf(!hasPkgConfig)('is linked statically by pkg-config', () => {
    const alone = join(folder, 'static');
    cpSync(prefix, alone, { recursive: true, filter: (path) => !/\.so(\.\d+)?$/.test(path) });
    const libraries = libraryFolder().replace(prefix, alone);
    const env = { PKG_CONFIG_PATH: join(libraries, 'pkgconfig') };
    const flags = run('pkg-config', ['--static', '--cflags', '--libs', 'unitscope'], env).trim().split(/\s+/);
    const program = join(folder, 'static-by-pkg-config');
    run(cc, ['-std=c11', join(example, 'main.c'), ...flags, '-o', program]);
    expectExample(run(program, []), false);
  });

  const interpreters = [process.env['UNITSCOPE_PYTHON'], 'python3', '/usr/bin/python3'];
  const pythonWith = (modules: string) =>
    interpreters.find(
      (command): command is string => command !== undefined && works(command, ['-c', `import ${modules}`]),
    );
  const python = pythonWith('numpy, torch') ?? pythonWith('numpy');
  if (python === undefined) console.warn('SKIPPED: python3 with numpy is not there, embed-python is not run');

  it.skipIf(python === undefined)('is called from Python', () => {
    const program = join(root, 'examples', 'embed-python', 'example.py');
    const env = { UNITSCOPE_LIBRARY: join(libraryFolder(), 'libunitscope.so') };
    const printed = run(python ?? '', ['-B', program], env);
    for (const line of printed.matchAll(/^.*not run.*$/gm)) console.warn(`SKIPPED: embed-python: ${line[0]}`);
    expect(printed).toMatch(/^ {2}mi_gradient +numpy +equal/m);
    expect(printed).toMatch(/^ {2}intersection +numpy +equal$/m);
    expect(printed).not.toContain('WRONG');
  });
});

it('configures without Node', () => {
  const options = ['-DUS_NODE=OFF', '-DUS_CUDA=OFF', '-DUS_TESTS=OFF'];
  const printed = execFileSync(
    'cmake',
    ['-S', join(root, 'native'), '-B', join(folder, 'plain'), ...options],
    {
      encoding: 'utf8',
    },
  );
  expect(printed).toContain('CUDA library: OFF');
});
