import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '@unitscope/tensor';
import { encodePng } from '@unitscope/visualization';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const SIDE = 64;

/**
 * Objects of 56 x 56 pixels on grey: dark, but for one bright spot, whose middle is the landmark `spot`; the landmark
 * `corner` is the upper left corner of the box.
 */
function spots(name: string, count: number): string {
  mkdirSync(folder.at(`${name}/images`), { recursive: true });
  const annotations = Array.from({ length: count }, (_, i) => {
    const random = new Random(i + 1);
    const data = new Uint8Array(SIDE * SIDE * 3).fill(40);
    const [top, left] = [8 + Math.floor(40 * random.uniform()), 8 + Math.floor(40 * random.uniform())];
    for (let y = top; y < top + 7; y++)
      for (let x = left; x < left + 7; x++) data.fill(255, (y * SIDE + x) * 3, (y * SIDE + x) * 3 + 3);
    folder.write(`${name}/images/${i}.png`, encodePng({ width: SIDE, height: SIDE, channels: 3, data }));
    return {
      image_id: i,
      category_id: 1,
      bbox: [4, 4, 56, 56],
      keypoints: [left + 3, top + 3, 2, 4, 4, 2],
    };
  });
  const images = annotations.map((_, i) => ({ id: i, file_name: `${i}.png`, width: SIDE, height: SIDE }));
  const categories = [{ id: 1, name: 'thing', supercategory: 'object', keypoints: ['spot', 'corner'] }];
  return folder.write(`${name}/annotations.json`, JSON.stringify({ images, annotations, categories }));
}

const data = spots('spots', 24);
const RUN = ['stability', model, '--data', data, '--layer', 'conv', '--preprocess', 'cifar10'];

describe('location instability', () => {
  it('finds filters that follow a part steadier at it than at another point', async () => {
    const out = folder.at('out');
    const summary = await recordOf([...RUN, '--out', out]);
    expect(summary.files).toEqual(['stability.json', 'stability.csv']);
    const record = JSON.parse(readFileSync(join(out, 'stability.json'), 'utf8'));
    expect(record).toMatchObject({
      method: 'location-instability',
      layer: 'conv',
      protocol: 'interpretable-cnn',
      parameters: { origin: [0, 0], step: [1, 1], input: [8, 8] },
      categories: [{ name: 'thing', objects: 24 }],
      skipped: [],
    });
    expect(record.filters).toHaveLength(4);
    // A filter of positive weights points at the spot: nearly the same distance everywhere; from the corner it varies.
    const best = record.filters.reduce((a: { landmarks: number[] }, b: { landmarks: number[] }) =>
      a.landmarks[0]! < b.landmarks[0]! ? a : b,
    );
    expect(best.landmarks[0]).toBeLessThan(0.5 * best.landmarks[1]);
    const lines = readFileSync(join(out, 'stability.csv'), 'utf8').split('\n');
    expect(lines[0]).toBe('filter,category,instability,spot,corner');
    expect(lines).toHaveLength(6);
  });

  it('says what it found, and goes on from where it stopped', async () => {
    const out = folder.at('out');
    const { code, out: text } = await unitscope([...RUN, '--out', out, '--resume']);
    expect(code).toBe(0);
    expect(text).toMatch(/location instability 0\.\d+ diagonals, over 4 of 4 filters/);
    expect(text).toMatch(/thing +24 +0\.\d+/);
  });

  it.each<[string, string[], number, string]>([
    ['a folder that holds a run', ['--out', folder.at('out')], 2, 'finished pass; go on with it by --resume'],
    [
      'another protocol in its folder',
      ['--out', folder.at('out'), '--resume', '--protocol', 'explanatory-graph'],
      2,
      'parameters protocol is "interpretable-cnn"',
    ],
    ['a layer without maps', ['--out', folder.at('x'), '--layer', 'fc'], 1, 'no place in the picture'],
    ['an unknown protocol', ['--out', folder.at('x'), '--protocol', 'mine'], 2, 'Allowed choices'],
  ])('refuses %s', async (_, args, code, message) => {
    const outcome = await unitscope([...RUN, ...args]);
    expect(outcome.err).toMatch(/^unitscope: [^\n]+\n$/);
    expect(outcome.err).toContain(message);
    expect(outcome.code).toBe(code);
  });

  it('refuses a data set without landmarks or without objects large enough', async () => {
    const plain = { images: [{ id: 1, file_name: '0.png', width: SIDE, height: SIDE }], annotations: [] };
    const without = folder.write(
      'spots/none.json',
      JSON.stringify({ ...plain, categories: [{ id: 1, name: 'thing' }] }),
    );
    const args = (path: string) => RUN.map((argument) => (argument === data ? path : argument));
    const outcome = await unitscope([...args(without), '--out', folder.at('y')]);
    expect(outcome.err).toMatch(/none\.json has no landmarks/);
    const small = folder.write(
      'spots/small.json',
      JSON.stringify({
        ...plain,
        categories: [{ id: 1, name: 'thing', keypoints: ['spot'] }],
        annotations: [{ image_id: 1, category_id: 1, bbox: [0, 0, 20, 20], keypoints: [5, 5, 2] }],
      }),
    );
    const second = await unitscope([...args(small), '--out', folder.at('z')]);
    expect(second.err).toMatch(/small\.json has no object of 50 x 50 pixels or more/);
    expect(second.code).toBe(1);
  });
});
