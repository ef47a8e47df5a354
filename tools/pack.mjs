// `npm run pack -- [FOLDER]`: every package as the tarball that is published, into out/packages.
//
// A platform package (packages/kernels-<platform>) is put together here: the stripped binaries of this checkout's build,
// and a manifest with the `os`, `cpu` and `libc` of its `publishConfig`. In the checkout the package has none of these,
// because npm would refuse to install a workspace made for another platform; and it is private, so that it cannot be
// published without its binaries.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail, root, setUp } from './setup.mjs';

const built = join(root, 'native', 'build', 'Release');

function output(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (error) throw new Error(`${command} cannot be started: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}

/** The packages of this checkout that are for every platform or for this one. */
function packages() {
  return readdirSync(join(root, 'packages'))
    .map((name) => join(root, 'packages', name))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }))
    .map((each) => ({ ...each, platform: each.manifest.publishConfig }))
    .filter(
      ({ platform }) =>
        platform === undefined ||
        (platform.os.includes(process.platform) && platform.cpu.includes(process.arch)),
    );
}

/** The compiler removes nothing from dist/, so a source that was renamed would be published under both names. */
function requireFreshBuild({ folder, manifest }) {
  const dist = join(folder, 'dist');
  if (!existsSync(join(dist, 'index.js')))
    throw new Error(`${manifest.name} is not built; run npm run setup`);
  for (const path of readdirSync(dist, { recursive: true })) {
    if (path.endsWith('.js') && !existsSync(join(folder, 'src', path.replace(/\.js$/, '.ts')))) {
      throw new Error(`${join(dist, path)} has no source any more; delete ${dist} and run npm run setup`);
    }
  }
}

/** The newest version of glibc that the binaries ask for, such as [2, 34]. */
function glibcOf(binaries) {
  const versions = [...output('objdump', ['-T', ...binaries]).matchAll(/GLIBC_(\d+)\.(\d+)/g)];
  return versions
    .map(([, major, minor]) => [Number(major), Number(minor)])
    .reduce((a, b) => (a[0] > b[0] || (a[0] === b[0] && a[1] >= b[1]) ? a : b), [0, 0]);
}

/** Lays out a platform package in a folder of its own. */
function stage({ folder, manifest, platform }, into) {
  mkdirSync(into);
  const { private: _private, publishConfig: _publishConfig, scripts: _scripts, ...published } = manifest;
  const content = JSON.stringify({ ...published, ...platform }, null, 2);
  writeFileSync(join(into, 'package.json'), `${content}\n`);
  for (const name of ['README.md', 'LICENSE']) copyFileSync(join(folder, name), join(into, name));
  if (!existsSync(join(built, manifest.main)))
    throw new Error(`there is no ${join(built, manifest.main)}; run npm run setup`);
  const binaries = manifest.files.filter((file) => existsSync(join(built, file)));
  for (const name of binaries) {
    copyFileSync(join(built, name), join(into, name));
    output('strip', ['--strip-unneeded', join(into, name)]);
  }
  return glibcOf(binaries.map((name) => join(into, name)));
}

/**
 * Packs packages into a folder.
 *
 * @param {string} into an existing folder
 * @param {readonly string[]} [names] all packages without it
 * @returns for each package `{ name, file, size, files, glibc? }`, `glibc` being what a platform package's binaries ask for
 */
export function pack(into, names) {
  const chosen = packages().filter(({ manifest }) => names === undefined || names.includes(manifest.name));
  const staging = mkdtempSync(join(tmpdir(), 'unitscope-pack-'));
  try {
    const glibc = new Map();
    const folders = chosen.map((each, index) => {
      if (each.platform === undefined) {
        requireFreshBuild(each);
        return each.folder;
      }
      const folder = join(staging, String(index));
      glibc.set(each.manifest.name, stage(each, folder));
      return folder;
    });
    const options = ['--json', '--ignore-scripts', '--pack-destination', into];
    return JSON.parse(output('npm', ['pack', ...options, ...folders])).map(
      ({ name, filename, size, files }) => ({
        name,
        file: join(into, filename),
        size,
        files: files.map(({ path }) => path),
        ...(glibc.has(name) ? { glibc: glibc.get(name) } : {}),
      }),
    );
  } finally {
    rmSync(staging, { recursive: true });
  }
}

/** A binary from a newer system would fail to load where its package promises that it does. */
function requireGlibc({ name, glibc }) {
  const { manifest } = packages().find((each) => each.manifest.name === name);
  const [major, minor] = manifest.engines.glibc.match(/\d+/g).map(Number);
  if (glibc[0] > major || (glibc[0] === major && glibc[1] > minor)) {
    fail(
      `${name} promises glibc ${manifest.engines.glibc}, its binaries need ${glibc.join('.')}: build it on an older system`,
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await setUp();
  const into = resolve(process.argv[2] ?? join(root, 'out', 'packages'));
  mkdirSync(into, { recursive: true });
  for (const packed of pack(into)) {
    if (packed.glibc !== undefined) requireGlibc(packed);
    console.log(`${String(Math.ceil(packed.size / 1000)).padStart(5)} kB  ${packed.file}`);
  }
}
