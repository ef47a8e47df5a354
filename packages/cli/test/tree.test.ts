import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeTree } from '@unitscope/disentangling';
import { Random } from '@unitscope/tensor';
import { encodePng } from '@unitscope/visualization';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { pngSize, TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const SIDE = 64;

/** Objects on grey, every other one with a bright spot (`thing`) or without (`other`); `spot` and `corner` are its landmarks. */
function objects(name: string, count: number): string {
  mkdirSync(folder.at(`${name}/images`), { recursive: true });
  const annotations = Array.from({ length: count }, (_, i) => {
    const random = new Random(i + 1);
    const data = new Uint8Array(SIDE * SIDE * 3).fill(40 + Math.floor(40 * random.uniform()));
    const [top, left] = [8 + Math.floor(40 * random.uniform()), 8 + Math.floor(40 * random.uniform())];
    const color = i % 2 === 0 ? [255, 230 - 8 * i, 40] : [60, 60, 60];
    for (let y = top; y < top + 9; y++)
      for (let x = left; x < left + 9; x++) data.set(color, (y * SIDE + x) * 3);
    folder.write(`${name}/images/${i}.png`, encodePng({ width: SIDE, height: SIDE, channels: 3, data }));
    return {
      image_id: i,
      category_id: 1 + (i % 2),
      bbox: [2, 2, 60, 60],
      keypoints: [left + 4, top + 4, 2, 2, 2, 2],
    };
  });
  const images = annotations.map((_, i) => ({ id: i, file_name: `${i}.png`, width: SIDE, height: SIDE }));
  const categories = ['thing', 'other'].map((category, i) => ({
    ...{ id: i + 1, name: category, supercategory: 'object', keypoints: ['spot', 'corner'] },
  }));
  return folder.write(`${name}/annotations.json`, JSON.stringify({ images, annotations, categories }));
}

const data = objects('objects', 20);
const run = (...more: string[]) => [
  ...['tree', model, '--data', data, '--category', 'thing', '--layer', 'act', '--preprocess', 'cifar10'],
  ...['--target', '2', ...more],
];

describe('tree', () => {
  it('writes the tree, its figures and a record, and explains pictures', async () => {
    const out = folder.at('out');
    const pictures = [0, 4].map((i) => folder.at(`objects/images/${i}.png`));
    const record = await recordOf(run('--out', out, '--explain', ...pictures));
    expect(record).toMatchObject({
      schema: 'unitscope/decision-tree@1',
      layer: 'act',
      category: 'thing',
      target: 2,
      objects: { positive: 10, negative: 10 },
      excluded: [],
    });
    expect(record.partOfFilter).toHaveLength(4);
    expect(record.measures.depths.at(-1).nodes).toBe(10);
    expect(record.logE.end).toBeGreaterThan(record.logE.start);
    const names = ['tree.json', 'tree.npz', 'tree.png', 'measures.svg', 'path-0.png', 'path-4.png'];
    expect(record.files).toEqual(names.map((name) => join(out, name)));
    for (const name of names.filter((each) => each.endsWith('.png'))) {
      expect(Math.min(...pngSize(join(out, name)))).toBeGreaterThan(100);
    }
    const tree = decodeTree(readFileSync(join(out, 'tree.npz')), 'tree.npz');
    expect(tree.top).toEqual(record.secondLayer);
    for (const way of record.explained) {
      expect(tree.top).toContain(way.nodes[0].node);
      expect(Object.keys(way.nodes[0].parts)).toEqual(['spot', 'corner']);
      expect(way.nodes.at(-1).pictures).toBe(1);
    }
    const { files: _, ...written } = record;
    expect(JSON.parse(readFileSync(join(out, 'tree.json'), 'utf8'))).toEqual(written);
  });

  it('says what it found', async () => {
    const { code, out } = await unitscope(
      run('--out', folder.at('text'), '--binary', '--assignment', 'cosine'),
    );
    expect(code).toBe(0);
    expect(out).toMatch(/10 objects of the category, 10 others; \d+ merges/);
    expect(out).toMatch(/layer +nodes +right/);
  });

  const out = ['--quiet', '--out', folder.at('none')];
  it.each<[string, readonly string[], number, RegExp]>([
    [
      'a category that is none',
      run(...out, '--category', 'thin'),
      2,
      /no category "thin"; did you mean "thing"/,
    ],
    ['a layer that is none', run(...out, '--layer', 'act9'), 1, /no layer "act9"/],
    ['a layer without maps', run(...out, '--layer', 'fc'), 2, /layer fc gives \[N, 5\], not maps/],
    ['a target that is none', run(...out, '--target', '77'), 1, /77/],
    [
      'a weight below zero',
      run(...out, '--lambda', '-1'),
      2,
      /'-1' is invalid. It must be a number of at least 0/,
    ],
    [
      'too few pictures',
      run(...out, '--limit', '1'),
      1,
      /at least two pictures of the category.*there is one/,
    ],
    [
      'two pictures of one name',
      run(...out, '--explain', folder.at('objects/images/0.png'), folder.at('other/0.png')),
      2,
      /two pictures of --explain would both be drawn to .*path-0\.png/,
    ],
  ])('refuses %s', (_, args, code, line) => expectRefusal(folder, args, code, line));
});
