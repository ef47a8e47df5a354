import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPicture, openDataSet, preprocessingPreset, writePartWorld } from '@unitscope/data';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { augment } from '../src/augmentation.js';
import { streamBatches } from '../src/batches.js';
import {
  chooseSamples,
  labelDataSet,
  learningRateAt,
  pictureSamples,
  readCategoryFolders,
  splitSamples,
} from '../src/index.js';
import { seedFor, shuffled } from '../src/seeds.js';
import { matches } from '../src/trainer-options.js';
import { corners } from './support/toy.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unitscope-samples-'));
  await writePartWorld(join(folder, 'world'), { pictures: 12, size: 64, seed: 3, categories: 3 });
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const preprocessing = preprocessingPreset('cifar10');
const size = { height: 32, width: 32 };

describe('pictureSamples', () => {
  it('reads what loadPicture reads, the first time and from memory', async () => {
    const { categories, pictures, leftOut } = await labelDataSet(await openDataSet(join(folder, 'world')));
    expect(categories).toHaveLength(3);
    expect(leftOut).toBe(0);
    const samples = pictureSamples(pictures, { categories, preprocessing, size, memory: 3 * 32 * 32 * 2 });
    for (const index of [0, 5, 0, 5, 11]) {
      const into = new Float32Array(3 * 32 * 32);
      await samples.read(index, into);
      expect(into).toEqual((await loadPicture(pictures[index]!.path, preprocessing, size)).tensor.data);
    }
  });

  it('takes folders by category, names one without pictures and a broken picture', async () => {
    const root = join(folder, 'folders');
    const world = await labelDataSet(await openDataSet(join(folder, 'world')));
    for (const name of ['cats', 'dogs']) await mkdir(join(root, name), { recursive: true });
    await writeFile(join(root, 'cats', 'broken.png'), 'not a picture');
    const found = (await readCategoryFolders(root))!;
    expect(found.categories).toEqual(['cats', 'dogs']);
    const create = () =>
      pictureSamples(found.pictures, { categories: found.categories, preprocessing, size });
    expect(create).toThrow(/no samples of the category dogs/);
    const samples = pictureSamples(
      [{ path: join(root, 'cats', 'broken.png'), category: 0 }, ...world.pictures],
      {
        ...{ categories: world.categories, preprocessing, size },
      },
    );
    await expect(samples.read(0, new Float32Array(3072))).rejects.toThrow(/broken\.png/);
    await expect(
      labelDataSet(await openDataSet(join(folder, 'world')), { categories: ['dragon'] }),
    ).rejects.toThrow(/no category "dragon"/);
  });
});

describe('streamBatches', () => {
  it('gives every sample of the order once, in order', async () => {
    const samples = corners(11);
    const order = shuffled(11, 4, 2);
    expect(order.toSorted((a, b) => a - b)).toEqual([...Array(11).keys()]);
    const labels: number[] = [];
    const sizes: number[] = [];
    for await (const batch of streamBatches(samples, { batchSize: 4, order })) {
      sizes.push(batch.inputs.dims[0]!);
      labels.push(...batch.labels);
      const into = new Float32Array(192);
      await samples.read(order[labels.length - 1]!, into);
      expect(batch.inputs.data.subarray(-192)).toEqual(into);
    }
    expect(sizes).toEqual([4, 4, 3]);
    expect(labels).toEqual(order.map((index) => samples.labels[index]));
    expect(chooseSamples(samples, order, { partial: true }).labels).toEqual(labels);
  });
});

describe('splitSamples', () => {
  it('takes its share of every category, by the seed', () => {
    const samples = corners(40);
    const [rest, part] = splitSamples(samples, 0.2, 1);
    expect([0, 1, 2, 3].map((label) => part.labels.filter((own) => own === label).length)).toEqual([
      2, 2, 2, 2,
    ]);
    expect(rest.labels).toHaveLength(32);
    expect(splitSamples(samples, 0.2, 1)[1].sha256).toBe(part.sha256);
    expect(splitSamples(samples, 0.2, 2)[1].sha256).not.toBe(part.sha256);
    expect(() => splitSamples(corners(4), 0.2, 1)).toThrow(/upper left has 1 sample, too few/);
  });
});

describe('augment', () => {
  it('only moves and mirrors pixels, by the seed of epoch and sample', () => {
    fc.assert(
      fc.property(
        fc.record({
          epoch: fc.nat(9),
          index: fc.nat(99),
          seed: fc.nat(9),
          shift: fc.nat(3),
          mirror: fc.boolean(),
        }),
        ({ shift, mirror, ...at }) => {
          const dims = [2, 4, 6] as const;
          const before = Float32Array.from({ length: 48 }, (_, i) => i + 1);
          const after = before.slice();
          augment(after, dims, { shift, mirror }, at);
          const again = before.slice();
          augment(again, dims, { shift, mirror }, at);
          expect(again).toEqual(after);
          // Every pixel of the result is one of the picture, all moved alike, or 0 at an edge.
          const moves = new Set<string>();
          after.forEach((value, i) => {
            if (value === 0) return;
            const [from, row] = [value - 1, Math.floor(i / 6)];
            const sign = mirror && isMirrored(after) ? -1 : 1;
            moves.add(`${row - Math.floor(from / 6)} ${(i % 6) - sign * (from % 6)}`);
          });
          expect(moves.size).toBe(1);
        },
      ),
    );
  });
});

/** Whether values fall along the first row that has two. */
function isMirrored(sample: Float32Array): boolean {
  for (let i = 0; i + 1 < sample.length; i++) {
    if (i % 6 < 5 && sample[i] !== 0 && sample[i + 1] !== 0) return sample[i + 1]! < sample[i]!;
  }
  return false;
}

describe('schedules, seeds and patterns', () => {
  it('gives the learning rates that are meant', () => {
    expect(learningRateAt({ kind: 'steps', rate: 1, factor: 0.1, at: [2, 4] }, 3.5)).toBeCloseTo(0.1);
    expect(learningRateAt({ kind: 'steps', rate: 1, factor: 0.1, at: [2, 4] }, 4)).toBeCloseTo(0.01);
    expect(learningRateAt({ kind: 'cosine', rate: 1, epochs: 10, warmup: 2 }, 1)).toBeCloseTo(0.5);
    expect(learningRateAt({ kind: 'cosine', rate: 1, epochs: 10, warmup: 2 }, 6)).toBeCloseTo(0.5);
    expect(learningRateAt({ kind: 'cosine', rate: 1, epochs: 10 }, 10)).toBeCloseTo(0);
    expect(learningRateAt({ kind: 'logspace', from: 1e-4, to: 1e-5, epochs: 10 }, 9.5)).toBeCloseTo(1e-5, 12);
    expect(learningRateAt({ kind: 'logspace', from: 1e-4, to: 1e-5, epochs: 10 }, 40)).toBeCloseTo(1e-5, 12);
  });

  it('gives seeds that differ', () => {
    const seeds = new Set<number>();
    for (let seed = 0; seed < 5; seed++) {
      for (let purpose = 1; purpose < 5; purpose++) {
        for (let epoch = 0; epoch < 50; epoch++) seeds.add(seedFor(seed, purpose, epoch));
      }
    }
    expect(seeds.size).toBe(1000);
  });

  it('matches names by patterns', () => {
    expect(matches('*.bias', 'conv1.bias')).toBe(true);
    expect(matches('conv*.w*t', 'conv1.weight')).toBe(true);
    expect(matches('*', 'anything')).toBe(true);
    expect(matches('ab*ba', 'aba')).toBe(false);
    expect(matches('*.bias', 'conv1.biases')).toBe(false);
    expect(matches('conv1', 'conv10')).toBe(false);
  });
});
