import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { recordOf } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { labelledPictures } from './support/labelled.js';
import { tinyNetwork } from './support/networks.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const data = labelledPictures(folder, 'data', 40);
const command = fileURLToPath(new URL('../bin/unitscope.js', import.meta.url));
const ARGS = [
  ...['dissect', model, '--data', data, '--layer', 'act', '--preprocess', 'cifar10'],
  ...['--label-size', '8,8', '--quantile', '0.1', '--batch-size', '4', '--no-pictures'],
];

/** Runs the command in a process that can write no file of more than so many kilobytes: writing fails in its middle. */
function runLimited(kilobytes: number, args: readonly string[]) {
  const { status, stderr } = spawnSync(
    'bash',
    ['-c', `ulimit -f ${kilobytes}; exec "$@"`, 'bash', process.execPath, command, ...args],
    { encoding: 'utf8' },
  );
  return { status, stderr };
}

const contents = (path: string) =>
  new Map(readdirSync(path).map((name) => [name, readFileSync(join(path, name)).toString('latin1')]));

describe.skipIf(process.platform === 'win32')('dissect, where a file cannot be written whole', () => {
  it('says which, and goes on from what was done when there is room', { timeout: 180_000 }, async () => {
    const whole = folder.at('whole');
    await recordOf([...ARGS, '--out', whole]);
    const sizes = readdirSync(whole).map((name) => statSync(join(whole, name)).size);
    // Each limit is below another file's size; a run gets as far as the files before that are written.
    const limits = [...new Set(sizes.map((size) => Math.floor((size - 1) / 1024)))].sort((a, b) => a - b);
    const out = folder.at('out');
    const failed = new Set<string>();
    for (const limit of limits) {
      const { status, stderr } = runLimited(limit, [...ARGS, '--out', out, '--resume']);
      const [, name] =
        /^unitscope: cannot write ([^\n]+): it is larger than files may be here\n$/.exec(stderr) ?? [];
      expect([limit, status, name ?? stderr]).toEqual([limit, 1, join(out, basename(name ?? ''))]);
      failed.add(basename(name ?? ''));
      expect(readdirSync(out).filter((file) => file.endsWith('.part'))).toEqual([]);
    }
    expect([...failed]).toEqual(expect.arrayContaining(['thresholds.npz', 'detectors.png']));
    await recordOf([...ARGS, '--out', out, '--resume']);
    expect(contents(out)).toEqual(contents(whole));
  });
});
