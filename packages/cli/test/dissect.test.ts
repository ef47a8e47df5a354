import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { pngSize, TemporaryFolder } from './support/files.js';
import { labelledPictures } from './support/labelled.js';
import { tinyNetwork } from './support/networks.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const data = labelledPictures(folder, 'data', 23);
const command = fileURLToPath(new URL('../bin/unitscope.js', import.meta.url));

const RUN = [
  'dissect',
  model,
  '--data',
  data,
  '--layer',
  'act',
  '--preprocess',
  'cifar10',
  '--label-size',
  '8,8',
];
const COMMON = [...RUN, '--quantile', '0.1', '--batch-size', '4'];

const landmarks = folder.write(
  'points.json',
  JSON.stringify([{ picture: 'a.png', category: 'bird', box: [0, 0, 60, 60], landmarks: { head: [3, 4] } }]),
);

const bytes = (path: string) => readFileSync(path).toString('latin1');

/** Runs the whole dissection in `shards` parts and merges them. */
async function inShards(shards: number, name: string): Promise<string> {
  const parts = Array.from({ length: shards }, (_, i) => folder.at(`${name}-part${i + 1}`));
  const whole = folder.at(name);
  for (const [i, part] of parts.entries())
    await recordOrNothing([...COMMON, '--shard', `${i + 1}/${shards}`, '--out', part]);
  await recordOf(['merge', ...parts, '--out', whole]);
  for (const [i, part] of parts.entries()) {
    const shard = ['--shard', `${i + 1}/${shards}`, '--out', part];
    await recordOrNothing([...COMMON, ...shard, '--thresholds', whole, '--resume']);
  }
  // In another order than they were made.
  await recordOf(['merge', ...parts.reverse(), '--out', whole]);
  return whole;
}

async function recordOrNothing(args: readonly string[]): Promise<void> {
  const { code, err } = await unitscope([...args, '--quiet']);
  if (code !== 0) throw new Error(`exit code ${code}: ${err}`);
}

const whole = folder.at('whole');

describe('a dissection', () => {
  it('writes its result, the tally, charts and pictures', async () => {
    const { files, summary } = await recordOf([...COMMON, '--out', whole]);
    expect(files).toEqual(
      expect.arrayContaining(['dissection.json', 'tally.csv', 'iou.npz', 'detectors.svg', 'units.png']),
    );
    for (const file of files) expect(existsSync(join(whole, file))).toBe(true);
    const record = JSON.parse(bytes(join(whole, 'dissection.json')));
    expect(record).toMatchObject({
      method: 'network-dissection',
      layer: 'act',
      pictures: 23,
      skipped: [],
      parameters: { convention: 'paper', quantile: 0.1 },
    });
    expect(record.summary).toEqual(summary);
    expect(record.units.map(({ unit }: { unit: number }) => unit)).toEqual([0, 1, 2, 3]);
    for (const { threshold, iou, intersection, union, topPictures } of record.units) {
      expect(threshold).toBeGreaterThan(0);
      if (union > 0) expect(iou).toBe(intersection / union);
      expect(topPictures).toHaveLength(10);
    }
    // The brightness follows the class, and so do units of noise weights.
    expect(summary.detectors).toBeGreaterThan(0);
    expect(pngSize(join(whole, 'units.png'))[0]).toBeGreaterThan(300);
    expect(bytes(join(whole, 'tally.csv')).split('\n')).toHaveLength(6);
  });

  it('says what it found', async () => {
    const written = bytes(join(whole, 'dissection.json'));
    const { code, out } = await unitscope([...COMMON, '--out', whole, '--resume']);
    // What was read from saved states is written as what was just made.
    expect(bytes(join(whole, 'dissection.json'))).toBe(written);
    expect(code).toBe(0);
    expect(out).toContain('preprocessing cifar10');
    expect(out).toMatch(/category +detectors +concepts/);
    expect(out).toMatch(/wrote \d+ files to /);
  });

  it.each([1, 3, 7])('is the same byte by byte in %i shards', async (shards) => {
    const merged = await inShards(shards, `merged${shards}`);
    for (const file of ['dissection.json', 'tally.csv', 'iou.npz', 'detectors.svg'])
      expect(bytes(join(merged, file))).toBe(bytes(join(whole, file)));
  });

  it('is the same after a picture that stopped it was mended', async () => {
    const broken = labelledPictures(folder, 'broken', 23);
    const args = COMMON.map((argument) => (argument === data ? broken : argument));
    const mask = join(broken, 'masks', '015.png');
    copyFileSync(mask, folder.at('kept.png'));
    // Of the same size, so that the data set is the same; nothing but its numbers is wrong.
    const damaged = Buffer.from(readFileSync(mask));
    damaged.fill(0, 60, 70);
    folder.write('broken/masks/015.png', damaged);
    const out = folder.at('mended');
    const { code, err } = await unitscope([...args, '--out', out]);
    expect(code).toBe(1);
    expect(err).toMatch(/^unitscope: mask [^\n]*015\.png is a damaged[^\n]*\n$/);
    expect(existsSync(join(out, 'dissection.json'))).toBe(false);
    copyFileSync(folder.at('kept.png'), mask);
    await recordOf([...args, '--out', out, '--resume']);
    expect(bytes(join(out, 'dissection.json'))).toBe(bytes(join(whole, 'dissection.json')));
    folder.write('broken/masks/015.png', damaged);
    const skipping = await recordOf([...args, '--out', folder.at('skipping'), '--on-error', 'skip']);
    expect(skipping.files).toContain('dissection.json');
    const record = JSON.parse(bytes(folder.at('skipping/dissection.json')));
    expect(record.pictures).toBe(22);
    expect(record.skipped).toEqual([
      { number: 15, id: '015.png', reason: expect.stringContaining('015.png is a damaged') },
    ]);
  });

  const started: ChildProcess[] = [];
  // A test that fails must not leave a process that waits forever.
  afterEach(() => {
    for (const child of started.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  });

  it('goes on after it was killed', { timeout: 60_000 }, async () => {
    const many = labelledPictures(folder, 'many', 400);
    const args = COMMON.map((argument) => (argument === data ? many : argument));
    const [killed, straight] = [folder.at('killed'), folder.at('straight')];
    await recordOf([...args, '--no-pictures', '--out', straight]);
    const child = spawn(process.execPath, [command, ...args, '--no-pictures', '--out', killed]);
    started.push(child);
    const closed = once(child, 'close');
    // Somewhere in the second pass, or, on a fast machine, at its end.
    while (!existsSync(join(killed, 'thresholds.npz')) && child.exitCode === null)
      await new Promise((done) => setTimeout(done, 2));
    child.kill('SIGKILL');
    await closed;
    rmSync(join(killed, 'dissection.json'), { force: true });
    await recordOf([...args, '--no-pictures', '--out', killed, '--resume']);
    expect(bytes(join(killed, 'dissection.json'))).toBe(bytes(join(straight, 'dissection.json')));
  });
});

describe('refuses in one line', () => {
  const refused = async (args: readonly string[], code: number, message: string | RegExp) => {
    const outcome = await unitscope(args);
    expect(outcome.err).toMatch(/^unitscope: [^\n]+\n$/);
    expect(outcome.err).toMatch(message);
    expect(outcome.code).toBe(code);
  };

  it('a folder that holds a run, without --resume', async () => {
    await refused([...COMMON, '--out', whole], 2, /finished pass; go on with it by --resume/);
  });

  it('the state of another model, data list or parameter', async () => {
    const again = ['--out', whole, '--resume'];
    await refused([...RUN, '--quantile', '0.2', ...again], 2, 'parameters quantile is 0.1, not 0.2');
    const other = await folder.model('other.onnx', tinyNetwork({ activation: 'Sigmoid' }));
    await refused(
      [...COMMON.map((a) => (a === model ? other : a)), ...again],
      2,
      'model file is "tiny.onnx"',
    );
    const less = labelledPictures(folder, 'less', 22);
    await refused([...COMMON.map((a) => (a === data ? less : a)), ...again], 2, 'data sha256 is');
    await refused(
      [...COMMON.map((a) => (a === 'act' ? 'conv' : a)), ...again],
      2,
      'layer is "act", not "conv"',
    );
    await refused([...COMMON, ...again, '--shard', '1/2'], 2, 'is of shard 1/1, not 1/2');
  });

  it('shards that do not make a whole', async () => {
    const [first, second] = [folder.at('first'), folder.at('second')];
    await recordOrNothing([...COMMON, '--shard', '1/3', '--out', first]);
    await recordOrNothing([...COMMON, '--shard', '2/3', '--out', second]);
    await refused(['merge', first, second, '--out', folder.at('m')], 2, 'shard 3 of 3 is missing');
    await refused(['merge', first, first, '--out', folder.at('m')], 2, 'is shard 1/3, and so is that in');
    await refused(['merge', first, whole, '--out', folder.at('m')], 2, 'is of 1 shards');
    await refused(
      ['merge', folder.at('nothing'), '--out', folder.at('m')],
      2,
      'is missing; dissect that shard',
    );
    await refused(
      [...COMMON, '--shard', '1/3', '--out', first, '--resume', '--thresholds', second],
      2,
      'merge the shards first',
    );
    expect(existsSync(folder.at('m'))).toBe(false);
  });

  it('a state that was damaged', async () => {
    const out = folder.at('damaged');
    await recordOrNothing([...COMMON, '--shard', '1/3', '--out', out]);
    const path = join(out, 'thresholds.npz');
    const state = readFileSync(path);
    folder.write('damaged/thresholds.npz', state.subarray(0, state.length / 2));
    await refused(
      [...COMMON, '--shard', '1/3', '--out', out, '--resume'],
      1,
      'thresholds.npz is not a usable .npz',
    );
    unlinkSync(path);
    await recordOrNothing([...COMMON, '--shard', '1/3', '--out', out, '--resume']);
  });

  it.each<[string, string[], number, string]>([
    [
      'a data set without labels',
      ['dissect', model, '--data', landmarks, '--out', 'x'],
      1,
      'points.json has no labels',
    ],
    ['no network', ['dissect', '--data', data, '--out', 'x'], 2, 'name the network'],
    ['no data', ['dissect', model, '--out', 'x'], 2, 'name the data set by --data'],
    ['no folder', ['dissect', model, '--data', data], 2, "required option '--out <dir>'"],
    [
      'a data set that is not there',
      ['dissect', model, '--data', 'nowhere', '--out', 'x'],
      1,
      'cannot read data set',
    ],
    [
      'a layout nobody knows',
      ['dissect', model, '--data', folder.path, '--out', 'x'],
      1,
      'no data set of a known',
    ],
    ['a layer without maps', [...RUN, '--layer', 'fc', '--out', 'x'], 2, 'not maps'],
    [
      'a convention',
      [...RUN, '--convention', 'mine', '--out', 'x'],
      2,
      'Allowed choices are paper, lite, dissect',
    ],
    ['a quantile', [...RUN, '--quantile', '1.5', '--out', 'x'], 2, 'above 0 and below 1'],
    ['a shard', [...RUN, '--shard', '4/3', '--out', 'x'], 2, 'such as 2/7'],
    [
      'half of the arrays',
      ['dissect', '--activations', 'a.npy', '--out', 'x'],
      2,
      '--pixel-labels is missing',
    ],
    ['arrays beside a network', [...RUN, '--activations', 'a.npy', '--out', 'x'], 2, 'not both'],
  ])('%s', async (_, args, code, message) => {
    await refused(args, code, message);
    expect(existsSync('x')).toBe(false);
  });
});
