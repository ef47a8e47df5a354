import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';
import { colorNetwork, draw, partPictures, patchesOf, SIDE, WEIGHT } from './support/part-pictures.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('colors.onnx', colorNetwork());
const data = partPictures(folder, 'data', 5);

const RUN = [
  'evaluate',
  model,
  '--data',
  data,
  '--preprocess',
  'raw255',
  '--tolerance',
  '0',
  '--steps',
  '16',
];
const bytes = (path: string) => readFileSync(path).toString('latin1');

interface Measure {
  readonly measure: string;
  readonly mean: number;
  readonly standardError: number;
  readonly pictures: number;
}

/** The measures of a method by name. */
function measuresOf(record: { methods: { method: string; measures: Measure[] }[] }, method: string) {
  const { measures } = record.methods.find((one) => one.method === method)!;
  return Object.fromEntries(measures.map((measure) => [measure.measure, measure]));
}

/** The mean probability of class 0 while pixels of a picture become its mean colour, the reddest first. */
function slowDeletion(number: number): number {
  const pixels = Array.from({ length: SIDE * SIDE }, () => [0, 0, 0] as readonly number[]);
  for (const { place, color } of patchesOf(number)) {
    const [top, left, height, width] = place;
    for (let i = 0; i < height * width; i++)
      pixels[(top + Math.floor(i / width)) * SIDE + left + (i % width)] = color;
  }
  const mean = [0, 1, 2].map((c) => pixels.reduce((sum, pixel) => sum + pixel[c]!, 0) / pixels.length);
  const order = [...pixels.keys()].sort((a, b) => pixels[b]![0]! - pixels[a]![0]! || a - b);
  const probabilities = Array.from({ length: 17 }, (_, step) => {
    const gone = new Set(order.slice(0, 4 * step));
    const scores = [0, 1].map(
      (c) =>
        (WEIGHT * pixels.reduce((sum, pixel, i) => sum + (gone.has(i) ? mean[c]! : pixel[c]!), 0)) /
        pixels.length,
    );
    return 1 / (1 + Math.exp(scores[1]! - scores[0]!));
  });
  return probabilities.reduce((sum, p, step) => sum + (step % 16 === 0 ? p / 2 : p), 0) / 16;
}

describe('an evaluation', () => {
  const whole = folder.at('whole');

  it('has what is true of a network that can be worked out', async () => {
    const record = await recordOf([...RUN, '--methods', 'input-times-gradient,gradient', '--out', whole]);
    const exact = measuresOf(record, 'input-times-gradient');
    // All of the red is on the 10 pixels of parts, 6 of them of the head and never less red than the tail.
    expect(exact['massInParts']).toEqual({ measure: 'massInParts', mean: 1, standardError: 0, pictures: 5 });
    expect(exact['concentration']!.mean).toBeCloseTo(6.4, 12);
    expect(exact['pointing']!.mean).toBe(1);
    expect(exact['rankCorrelation']).toMatchObject({ mean: 1, pictures: 5 });
    const heads = [0, 1, 2, 3, 4].map((number) => 1200 / (1200 + 4 * (100 + 10 * number)));
    expect(exact['massIn head']!.mean).toBeCloseTo(heads.reduce((sum, head) => sum + head) / 5, 6);
    const deletions = [0, 1, 2, 3, 4].map(slowDeletion);
    expect(exact['deletion']!.mean).toBeCloseTo(deletions.reduce((sum, area) => sum + area) / 5, 6);
    // The gradient is the same everywhere: it points at the corner and orders the pixels as they come.
    const flat = measuresOf(record, 'gradient');
    expect(flat['massInParts']!.mean).toBeCloseTo(10 / 64, 6);
    expect(flat['concentration']!.mean).toBeCloseTo(1, 6);
    expect(flat['pointing']!.mean).toBe(0);
    expect(exact['deletion']!.mean).toBeLessThan(flat['deletion']!.mean);
    expect(exact['insertion']!.mean).toBeGreaterThan(flat['insertion']!.mean);
    const saved = JSON.parse(bytes(join(whole, 'evaluation.json')));
    expect(saved).toMatchObject({
      method: 'explanation-truth',
      target: 'top1',
      explained: ['input-times-gradient', 'gradient'],
      data: { format: 'coco', pictures: 5 },
      parameters: { channels: 'largest', steps: 16, baselines: { deletion: 'mean', insertion: 'blurred' } },
      methods: record.methods,
    });
    expect(bytes(join(whole, 'evaluation.csv')).split('\n')).toHaveLength(12);
  });

  it('explains the class that the pictures show', async () => {
    const classes = folder.write('classes.json', JSON.stringify({ bird: 1 }));
    const record = await recordOf([
      ...RUN,
      '--methods',
      'input-times-gradient',
      '--classes',
      classes,
      '--out',
      folder.at('green'),
    ]);
    const measures = measuresOf(record, 'input-times-gradient');
    // Green is on the stone alone, and no part that is removed changes its score.
    expect(measures['massInParts']!.mean).toBe(0);
    expect(measures['rankCorrelation']).toMatchObject({ mean: null, pictures: 0 });
    expect(measures['silent']).toMatchObject({ mean: 0, pictures: 5 });
    expect(measures['deletion']!.mean).toBeLessThan(0.5);
  });

  it('says what it found', async () => {
    const { code, out, err } = await unitscope([...RUN, '--limit', '2', '--out', folder.at('two')]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('preprocessing raw255');
    expect(out).toMatch(
      /method +mass in parts +concentration +pointing game +rank correlation +deletion +insertion/,
    );
    expect(out).toMatch(/input-times-gradient +1\.000 ± 0\.000 +6\.400 ± 0\.000/);
    expect(out.match(/^(gradient|saliency-map|guided-backprop|deconvnet|deconvolution) /gm)).toHaveLength(5);
  });

  it('goes on after a picture that stopped it was mended', async () => {
    const broken = partPictures(folder, 'broken', 5);
    const out = folder.at('mended');
    const args = RUN.map((argument) => (argument === data ? broken : argument));
    const run = [...args, '--methods', 'input-times-gradient,gradient', '--batch-size', '1', '--out', out];
    folder.write('broken/changed/3-tail.png', 'no picture');
    const { code, err } = await unitscope(run);
    expect(code).toBe(1);
    expect(err).toMatch(/^unitscope: [^\n]*3-tail\.png[^\n]*\n$/);
    folder.write('broken/changed/3-tail.png', draw(patchesOf(3).filter(({ name }) => name !== 'tail')));
    await expectRefusal(
      folder,
      run,
      2,
      /evaluation\.npz holds a run that was stopped; go on with it by --resume/,
    );
    await recordOf([...run, '--resume']);
    expect(bytes(join(out, 'evaluation.csv'))).toBe(bytes(join(whole, 'evaluation.csv')));
    expect(bytes(join(out, 'evaluation.json'))).toBe(bytes(join(whole, 'evaluation.json')));
    await expectRefusal(
      folder,
      [...run, '--resume', '--negative', 'absolute'],
      2,
      /another run: its parameters negative/,
    );
  });

  it('does without changed pictures, and leaves out what cannot be used', async () => {
    const plain = partPictures(folder, 'plain', 3);
    rmSync(join(plain, 'interventions.json'));
    folder.write('plain/images/1.png', 'no picture');
    const args = RUN.map((argument) => (argument === data ? plain : argument));
    const { code, out } = await unitscope([
      ...args,
      '--methods',
      'gradient',
      '--on-error',
      'skip',
      '--out',
      folder.at('skipped'),
    ]);
    expect(code).toBe(0);
    expect(out).toContain('has no interventions.json, so there is no rank correlation');
    expect(out).toContain('left out 1 pictures');
    expect(out).toMatch(/gradient .* none /);
  });
});

it('measures nothing of maps that say nothing', async () => {
  const pale = partPictures(folder, 'pale', 3);
  // Without green the map of the second class is zero everywhere.
  folder.write('pale/images/1.png', draw(patchesOf(1).filter(({ name }) => name !== 'stone')));
  const args = RUN.map((argument) => (argument === data ? pale : argument));
  const classes = ['--classes', folder.write('green.json', '{"bird": 1}')];
  const out = folder.at('silent');
  const run = await unitscope([...args, ...classes, '--methods', 'input-times-gradient', '--out', out]);
  expect(run.out).toContain('note: input-times-gradient: 1 of 3 maps are zero everywhere and are left out\n');
  const record = JSON.parse(bytes(join(out, 'evaluation.json')));
  const measures = measuresOf(record, 'input-times-gradient');
  expect(measures['silent']).toMatchObject({ mean: 1 / 3, pictures: 3 });
  for (const measure of ['massInParts', 'concentration', 'pointing', 'deletion', 'insertion'])
    expect(measures[measure]!.pictures).toBe(2);
});

describe('is refused', () => {
  const out = ['--quiet', '--out', folder.at('refused')];

  it.each<[string, () => readonly string[], number, RegExp]>([
    ['an unknown method', () => [...RUN, '--methods', 'gradeint'], 2, /did you mean "gradient"/],
    ['a tolerance below 0', () => [...RUN, '--tolerance', '-1'], 2, /It must be 0 pixels or more/],
    [
      'a mapping without the category',
      () => [...RUN, '--classes', folder.write('cat.json', '{"cat": 0}')],
      1,
      /0\.png shows no object that --classes names; its objects are: bird, head, tail, stone/,
    ],
    [
      'a picture of two classes',
      () => [...RUN, '--classes', folder.write('two.json', '{"bird": 0, "stone": 1}')],
      1,
      /0\.png shows objects of 2 classes/,
    ],
    [
      'a class that the network does not have',
      () => [...RUN, '--classes', folder.write('far.json', '{"bird": 2}')],
      1,
      /the class 2; the network has 0\.\.1/,
    ],
    [
      'a mapping that is none',
      () => [...RUN, '--classes', folder.write('bad.json', '{"bird": "red"}')],
      1,
      /mapping of classes [^\n]*field bird is wrong/,
    ],
  ])('%s', async (_, args, code, line) => {
    await expectRefusal(folder, [...args(), ...out], code, line);
  });

  it('a data set without parts', async () => {
    const coco = JSON.parse(bytes(join(data, 'annotations.json')));
    const categories = coco.categories.map(({ id, name }: { id: number; name: string }) => ({ id, name }));
    const plain = folder.write('plain.json', JSON.stringify({ ...coco, categories }));
    const args = RUN.map((argument) => (argument === data ? plain : argument));
    await expectRefusal(folder, [...args, ...out], 1, /no categories of the supercategory "part"/);
  });

  it('more steps than the input has pixels', async () => {
    const net = await folder.model('tiny.onnx', tinyNetwork());
    const args = RUN.map((argument) => (argument === model ? net : argument === '16' ? '65' : argument));
    await expectRefusal(folder, [...args, ...out], 2, /steps must be an integer from 1 to 64, it is 65/);
  });
});
