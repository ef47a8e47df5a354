import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { encode } from 'fast-png';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArrayPool,
  type DataSet,
  type ExampleBatch,
  type ExampleOptions,
  fitLabels,
  fitLandmark,
  isReduced,
  preprocessingPreset,
  readIndexMasks,
  shownRegion,
  streamExamples,
} from '../src/index.js';
import { readNumberPicture } from '../src/index-picture.js';
import { layerOf } from '../src/label-layer.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unitscope-masks-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A data set whose picture i is of the grey level 10 i and whose mask is the left half 1, the right half 3. */
async function makeSet(name: string, pictures: number, masks: (i: number) => Uint8Array | undefined) {
  const path = join(folder, name);
  await mkdir(join(path, 'images'), { recursive: true });
  await mkdir(join(path, 'masks'));
  await writeFile(join(path, 'classes.json'), '{"classes": ["sky", "road", "void", "car"]}');
  for (let i = 0; i < pictures; i++) {
    const level = { r: 10 * i, g: 10 * i, b: 10 * i };
    await sharp({ create: { width: 8, height: 4, channels: 3, background: level } })
      .png()
      .toFile(join(path, 'images', `${i}.png`));
    const mask = masks(i);
    if (mask !== undefined) await writeFile(join(path, 'masks', `${i}.png`), mask);
  }
  return path;
}

const halves = () =>
  encode({
    width: 8,
    height: 4,
    channels: 1,
    depth: 8,
    data: Uint8Array.from({ length: 32 }, (_, i) => (i % 8 < 4 ? 1 : 3)),
  });

const OPTIONS: ExampleOptions = {
  preprocessing: preprocessingPreset('raw255'),
  size: { height: 4, width: 4 },
  labelSize: { height: 2, width: 2 },
  batchSize: 2,
};

async function collect(dataSet: DataSet, options: Partial<ExampleOptions> = {}): Promise<ExampleBatch[]> {
  const batches: ExampleBatch[] = [];
  for await (const batch of streamExamples(dataSet, { ...OPTIONS, ...options })) batches.push(batch);
  return batches;
}

describe('a folder of index masks', () => {
  it('is read: classes, pictures in order, labels at their size', async () => {
    const set = await readIndexMasks(await makeSet('good', 5, halves));
    expect(set.table).toEqual({
      categories: ['object'],
      labels: [
        { index: 1, name: 'sky', category: 'object' },
        { index: 2, name: 'road', category: 'object' },
        { index: 4, name: 'car', category: 'object' },
      ],
      pixelLayers: ['object'],
      imageLayers: [],
    });
    const batches = await collect(set);
    expect(batches.map(({ numbers }) => numbers)).toEqual([[0, 1], [2, 3], [4]]);
    expect(batches[1]!.inputs.dims).toEqual([2, 3, 4, 4]);
    expect([...new Set(batches[1]!.inputs.data)]).toEqual([20, 30]);
    expect(batches[2]!.pixelLabels).toEqual({ dims: [1, 1, 2, 2], data: Int32Array.of(2, 4, 2, 4) });
    expect(batches[2]!.imageLabels.dims).toEqual([1, 0]);
    const some = await collect(set, { numbers: [3, 1], batchSize: 9 });
    expect(some[0]!.numbers).toEqual([3, 1]);
  });

  it('is another one when a file is', async () => {
    const first = await readIndexMasks(await makeSet('one', 2, halves));
    const same = await readIndexMasks(await makeSet('same', 2, halves));
    const more = await readIndexMasks(await makeSet('more', 3, halves));
    expect(same.sha256).toBe(first.sha256);
    expect(more.sha256).not.toBe(first.sha256);
  });

  it.each<[string, (i: number) => Uint8Array, string]>([
    [
      'a value without a class',
      () => encode({ width: 8, height: 4, channels: 1, depth: 8, data: new Uint8Array(32).fill(7, 12, 13) }),
      'has the value 7 at row 1, column 4; there are 4 classes',
    ],
    [
      'another size',
      () => encode({ width: 6, height: 4, channels: 1, depth: 8, data: new Uint8Array(24) }),
      'is 6x4, the picture 8x4',
    ],
    ['no PNG', () => new Uint8Array(100), 'is not a PNG file'],
    ['cut off', () => halves().subarray(0, 50), 'is a damaged or truncated PNG file'],
    [
      'colours',
      () => encode({ width: 8, height: 4, channels: 3, depth: 8, data: new Uint8Array(96) }),
      'has 3 channels',
    ],
  ])('names a mask with %s, or leaves it out', async (name, wrong, message) => {
    const set = await readIndexMasks(await makeSet(name, 3, (i) => (i === 1 ? wrong(i) : halves())));
    await expect(collect(set)).rejects.toThrow(message);
    const [batch] = await collect(set, { onError: 'skip', batchSize: 3 });
    expect(batch!.numbers).toEqual([0, 2]);
    expect(batch!.inputs.dims[0]).toBe(2);
    expect(batch!.skipped).toHaveLength(1);
    expect(batch!.skipped[0]).toMatchObject({ number: 1, id: '1.png' });
    expect(batch!.skipped[0]!.reason).toContain(message);
    // Without labels no mask is read.
    expect((await collect({ ...set }, { labelSize: undefined })).length).toBe(2);
  });

  it('names what is missing', async () => {
    await expect(readIndexMasks(join(folder, 'nowhere'))).rejects.toThrow('no such file or folder');
    await expect(
      readIndexMasks(await makeSet('gap', 2, (i) => (i === 0 ? halves() : undefined))),
    ).rejects.toThrow('1.png has no mask');
    const empty = await makeSet('empty', 0, halves);
    await expect(readIndexMasks(empty)).rejects.toThrow('holds no pictures');
    await writeFile(join(empty, 'classes.json'), '{"classes": 3}');
    await expect(readIndexMasks(empty)).rejects.toThrow('must be a list of class names');
    await rm(join(empty, 'classes.json'));
    await expect(readIndexMasks(empty)).rejects.toThrow('neither classes.json nor classes.txt');
  });

  it('streams the same from arrays that are used again, whatever was in them', async () => {
    const sound = (i: number) => (i % 3 === 1 ? new Uint8Array(9) : halves());
    const set = await readIndexMasks(await makeSet('pool', 9, sound));
    const options = { onError: 'skip', batchSize: 4 } as const;
    const expected = await collect(set, options);
    const pool = new ArrayPool();
    // Nothing that a batch says may come from the one before.
    pool.give(pool.float32(4 * 3 * 16).fill(Number.NaN), pool.int32(4 * 4).fill(77));
    let i = 0;
    for await (const batch of streamExamples(set, { ...OPTIONS, ...options, pool })) {
      expect(batch).toEqual(expected[i++]);
      batch.inputs.data.fill(Number.NaN);
      batch.pixelLabels.data.fill(77);
      pool.give(batch.inputs.data, batch.pixelLabels.data);
    }
    expect(expected.map(({ numbers }) => numbers)).toEqual([[0, 2, 3], [5, 6], [8]]);
    expect(i).toBe(3);
  });

  it('ends when it is aborted', async () => {
    const set = await readIndexMasks(await makeSet('abort', 4, halves));
    await expect(collect(set, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('numbers of a PNG file', () => {
  it.each([1, 2, 4] as const)('of %i bits, several in a byte', async (bits) => {
    const numbers = Uint8Array.from({ length: 15 }, (_, i) => (i * 7) % 2 ** bits);
    const path = join(folder, `${bits}.png`);
    // sharp writes a palette of few colours with as few bits as it needs.
    const colours = Array.from({ length: 2 ** bits }, (_, i) => Math.round((255 * i) / (2 ** bits - 1)));
    const rgb = Uint8Array.from([...numbers].flatMap((n) => [colours[n]!, 255 - colours[n]!, 0]));
    await sharp(rgb, { raw: { width: 5, height: 3, channels: 3 } })
      .png({ palette: true, colours: 2 ** bits, dither: 0 })
      .toFile(path);
    const { data, channels } = await readNumberPicture(path);
    expect(channels).toBe(1);
    // The palette's order is the encoder's; equal numbers must be equal and others not.
    const renamed = new Map([...numbers].map((n, i) => [n, data[i]]));
    expect(new Set(renamed.values()).size).toBe(renamed.size);
    expect([...data]).toEqual([...numbers].map((n) => renamed.get(n)));
  });
});

describe('labels and landmarks on a network input', () => {
  const presets = ['imagenet', 'caffe'].map(preprocessingPreset);

  it('stay where the picture shows them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom(...presets),
        fc.integer({ min: 1, max: 32 }),
        (height, width, preprocessing, side) => {
          const picture = { height, width };
          const size = { height: side, width: side };
          const region = shownRegion(picture, preprocessing, size);
          const layer = layerOf(picture, (pixel) => pixel + 1);
          const labels = new Int32Array(side * side);
          fitLabels(layer, picture, region, size, labels);
          labels.forEach((label, i) => {
            const [y, x] = [Math.floor((label - 1) / width), (label - 1) % width];
            const centre = fitLandmark({ name: 'here', y, x }, region, size);
            // The middle of the source pixel lies within half its own side of the middle of the result pixel.
            const [row, column] = [Math.floor(i / side), i % side];
            if (centre === undefined) return;
            expect(Math.abs(centre.y - row)).toBeLessThanOrEqual((0.5 * side) / region.height + 1e-9);
            expect(Math.abs(centre.x - column)).toBeLessThanOrEqual((0.5 * side) / region.width + 1e-9);
          });
        },
      ),
    );
  });

  it('may be smaller by a whole factor only, rounded either way', () => {
    const side = fc.integer({ min: 1, max: 500 });
    fc.assert(
      fc.property(side, side, fc.integer({ min: 1, max: 8 }), (height, width, factor) => {
        for (const round of [Math.floor, Math.ceil]) {
          const map = { height: round(height / factor), width: round(width / factor) };
          expect(isReduced(map, { height, width })).toBe(map.height > 0 && map.width > 0);
        }
      }),
    );
    const small = fc.integer({ min: 1, max: 24 });
    fc.assert(
      fc.property(small, small, small, small, (height, width, rows, columns) => {
        const some = Array.from({ length: 30 }, (_, i) => i + 1).some((factor) =>
          [Math.floor, Math.ceil].some((down) =>
            [Math.floor, Math.ceil].some(
              (across) => down(height / factor) === rows && across(width / factor) === columns,
            ),
          ),
        );
        expect(isReduced({ height: rows, width: columns }, { height, width })).toBe(some);
      }),
      { numRuns: 1000 },
    );
    const picture = { height: 227, width: 227 };
    expect(isReduced({ height: 113, width: 114 }, picture)).toBe(true);
    expect(isReduced({ height: 113, width: 76 }, picture)).toBe(false);
    expect(isReduced({ height: 150, width: 150 }, picture)).toBe(false);
    expect(isReduced({ height: 454, width: 454 }, picture)).toBe(false);
    expect(isReduced({ height: 227, width: 0 }, picture)).toBe(false);
  });

  it('is the picture itself where sizes agree, and nothing outside', () => {
    const size = { height: 32, width: 32 };
    const region = shownRegion(size, preprocessingPreset('cifar10'), size);
    expect(region).toEqual({ top: 0, left: 0, ...size });
    expect(fitLandmark({ name: 'a', y: 3, x: 4.5 }, region, size)).toEqual({ name: 'a', y: 3, x: 4.5 });
    expect(fitLandmark({ name: 'a', y: -0.6, x: 0 }, region, size)).toBeUndefined();
    expect(fitLandmark({ name: 'a', y: 0, x: 31.6 }, region, size)).toBeUndefined();
  });
});
