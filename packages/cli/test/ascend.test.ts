import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Random, readNpz } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { pngSize, TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const names = folder.write('names.txt', 'cat\ndog\nowl\nfox\nant\n');
const picture = folder.picture('noise.png').path;
const directions = folder.array('directions.npy', new Random(1).normalTensor([2, 5]));
const short = ['--steps', '4'];

describe('ascend', () => {
  it('writes pictures, arrays, frames and the curve, and says what it did', async () => {
    const [png, raw, curve, frames] = ['a/p.png', 'a/r.npz', 'a/c.svg', 'a/frames'].map((name) =>
      folder.at(name),
    );
    const record = await recordOf([
      ...['ascend', model, '--target', 'dog,4', '--classes', names, '--preset', 'lucid', '--canvas', '20,24'],
      ...[
        '--steps',
        '6',
        '--seed',
        '3',
        '--png',
        png!,
        '--raw',
        raw!,
        '--curve',
        curve!,
        '--frames',
        frames!,
      ],
      ...['--frame-every', '2', '--judge', model],
    ]);
    expect(record.samples.map(({ label }: { label: string }) => label)).toEqual(['dog (1)', 'ant (4)']);
    expect(record.ascent).toMatchObject({
      recipe: 'lucid',
      seed: 3,
      size: [20, 24],
      inputSize: [8, 8],
      stepsMade: 6,
    });
    expect(record.model.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(record.samples[0].judge.rank).toBeGreaterThanOrEqual(1);
    const arrays = readNpz(readFileSync(raw!));
    expect(arrays.get('picture')!.dims).toEqual([2, 3, 20, 24]);
    expect([arrays.get('input')!.dims, arrays.get('curve')!.dims]).toEqual([
      [2, 3, 8, 8],
      [2, 6],
    ]);
    expect(readdirSync(frames!).sort()).toEqual(['step-2.png', 'step-4.png', 'step-6.png']);
    expect(pngSize(png!)[0]).toBeGreaterThan(400);
    expect(readFileSync(curve!, 'utf8')).toMatch(/^<svg/);
  });

  it('takes units, channels, directions, and every start', async () => {
    const run = (...args: string[]) => recordOf(['ascend', model, ...short, ...args]);
    const units = await run(
      '--layer',
      'conv2',
      '--unit',
      '1',
      '--unit',
      '2,0,1',
      '--unit',
      '3,mean',
      '--start',
      'noise',
    );
    expect(units.ascent.objectives).toEqual([
      'unit 1 of conv2 in the middle',
      'unit 2 of conv2 at 0,1',
      'channel 3 of conv2',
    ]);
    const along = await run('--layer', 'conv2', '--direction', directions, '--start', picture);
    expect([along.samples.length, along.ascent.start]).toEqual([2, 'picture']);
    const lucid = await run('--target', '1', '--preset', 'lucid', '--canvas', '16', '--start', picture);
    expect(lucid.ascent.start).toBe('picture');
    const text = await unitscope(['ascend', model, '--target', '2', ...short, '--preset', 'yosinski-1']);
    expect([text.code, text.out]).toEqual([
      0,
      expect.stringMatching(/yosinski-1: 4 steps from noise.*\nclass 2: /),
    ]);
  });

  it('ends when it is interrupted, without a file that is half written', async () => {
    const before = folder.contents();
    const stop = AbortSignal.timeout(150);
    const args = [
      'ascend',
      model,
      '--target',
      '1',
      '--start',
      'noise',
      '--steps',
      '1000000',
      '--png',
      folder.at('b.png'),
    ];
    expect(await unitscope(args, stop)).toMatchObject({ code: 130, err: 'unitscope: interrupted\n' });
    expect(folder.contents()).toEqual(before);
    expect(existsSync(folder.at('b.png'))).toBe(false);
  });

  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [[], 2, /say what to raise/],
    [['--target', '1', '--layer', 'conv'], 2, /say what to raise/],
    [['--target', '1', '--unit', '2'], 2, /are of a layer/],
    [['--layer', 'conv'], 2, /either units/],
    [['--layer', 'cnv', '--unit', '1'], 1, /did you mean "conv"/],
    [['--layer', 'conv', '--unit', '1,2'], 2, /C,Y,X or C,mean/],
    [['--layer', 'conv', '--unit', '9'], 1, /no unit 9/],
    [['--layer', 'conv', '--direction', directions], 2, /has 5 numbers/],
    [['--layer', 'conv', '--direction', folder.at('none.npy')], 1, /cannot read directions/],
    [['--target', '9'], 1, /no class 9/],
    [['--target', 'cat'], 2, /--classes FILE/],
    [['--target', 'top1'], 2, /name the class/],
    [['--target', '1', '--preset', 'lucyd'], 2, /Allowed choices/],
    [['--target', '1', '--rate', '0'], 2, /above 0/],
    [['--target', '1', '--seed', '-1'], 2, /whole number/],
    [['--target', '1', '--start', folder.at('none.jpg')], 1, /none\.jpg/],
    [['--target', '1', '--png', folder.at('x.jpg')], 2, /name the file \.png/],
    [['--target', '1', '--raw', folder.at('x.txt')], 2, /\.npy or \.npz/],
    [['--target', '1', '--curve', folder.at('x.png')], 2, /\.svg/],
    [['--target', '1', '--frame-every', '2'], 2, /--frames/],
    [['--layer', 'conv', '--unit', '1', '--judge', model], 2, /ranks classes/],
    [['--target', '1', '--judge-preprocess', 'tf'], 2, /--judge/],
    [['--target', '1', '--judge', folder.at('none.onnx'), '--steps', '1'], 1, /none\.onnx/],
  ];
  it.each(cases)('refuses %j', async (args, code, line) => {
    await expectRefusal(folder, ['ascend', model, ...args], code, line);
  });
});
