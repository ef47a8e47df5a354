import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArrayPool, type LabelTable } from '@unitscope/data';
import { Random } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ActivationCache, CACHE_FILE } from '../src/dissection/activation-cache.js';
import { CachedSource } from '../src/dissection/cached-source.js';
import type { DissectionSource, LabelledBatch } from '../src/dissection/source.js';
import { TemporaryFolder } from './support/files.js';

const files = new TemporaryFolder();
const SHAPE = { maps: [2, 3, 2], pixelLabels: [1, 2, 2], imageLabels: 1 };
const RECORD_BYTES = 4 * (12 + 4 + 1);
const BATCH = 5;
const COUNT = 200;
const signal = new AbortController().signal;
const table: LabelTable = { categories: ['a'], labels: [], pixelLayers: ['a'], imageLayers: ['a'] };

/** Pictures of random activations, of which some cannot be used; notes which it was asked for. */
function makeSource(unusable: ReadonlySet<number>) {
  const asked: number[] = [];
  const activationsOf = (number: number) => new Random(number + 1).normalTensor([1, ...SHAPE.maps]).data;
  async function* labelled(numbers: readonly number[]): AsyncGenerator<LabelledBatch> {
    for (let start = 0; start < numbers.length; start += BATCH) {
      const chosen = numbers.slice(start, start + BATCH);
      asked.push(...chosen);
      const used = chosen.filter((number) => !unusable.has(number));
      const n = used.length;
      yield {
        numbers: used,
        activations: {
          dims: [n, ...SHAPE.maps],
          data: Float32Array.from(used.flatMap((number) => [...activationsOf(number)])),
        },
        labels: {
          pixelLabels: {
            dims: [n, 1, 2, 2],
            data: Int32Array.from(used.flatMap((number) => [number, 1, 2, 3])),
          },
          imageLabels: { dims: [n, 1], data: Int32Array.from(used) },
        },
        skipped: chosen
          .filter((number) => unusable.has(number))
          .map((number) => ({ number, id: String(number), reason: 'none' })),
      };
    }
  }
  const source: DissectionSource = {
    record: {},
    units: 2,
    count: COUNT,
    geometry: { cells: [3, 2], pixels: [2, 2], input: [4, 4] },
    table,
    shape: SHAPE,
    activations: labelled,
    labelled,
    close: () => Promise.resolve(),
  };
  return { source, asked };
}

/** Everything that batches say, picture by picture, whatever their sizes. */
async function flat(batches: AsyncIterable<LabelledBatch>) {
  const pictures: [number, number[], number[], number[]][] = [];
  const skipped: number[] = [];
  for await (const { numbers, activations, labels, skipped: left } of batches) {
    skipped.push(...left.map(({ number }) => number));
    numbers.forEach((number, i) => {
      const part = (data: Float32Array | Int32Array) => {
        const size = data.length / numbers.length;
        return [...data.subarray(i * size, (i + 1) * size)];
      };
      pictures.push([
        number,
        part(activations.data),
        part(labels.pixelLabels.data),
        part(labels.imageLabels!.data),
      ]);
    });
  }
  return { pictures, skipped };
}

const all = Array.from({ length: COUNT }, (_, i) => i);
let folders = 0;

describe('activations on the disk', () => {
  it('give a second pass the same batches, from the cache as far as it has room', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(COUNT - 1), { maxLength: 20 }),
        fc.nat(COUNT + 20),
        fc.nat(COUNT),
        async (unusable, room, done) => {
          const { source, asked } = makeSource(new Set(unusable));
          const folder = files.at(`cache${folders++}`);
          const cache = await ActivationCache.open(folder, SHAPE, {
            taken: 0,
            limit: room * RECORD_BYTES,
          });
          const cached = new CachedSource(source, cache);
          const skipped: LabelledBatch['skipped'][number][] = [];
          for await (const batch of cached.activations(all, 0, signal)) skipped.push(...batch.skipped);
          expect(asked).toEqual(all);
          expect(cache.count).toBeLessThanOrEqual(room);
          // With nothing to gain from it, the trial may end it.
          asked.length = 0;
          const rest = all.slice(done);
          const got = await flat(cached.labelled(rest, all.slice(0, done), skipped, signal));
          expect(got).toEqual(await flat(source.labelled(rest, signal)));
          await cache.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are not made again', async () => {
    const { source, asked } = makeSource(new Set([3]));
    const folder = files.at('all');
    const cache = await ActivationCache.open(folder, SHAPE, { taken: 0, limit: 1e6 });
    for await (const batch of source.labelled(all, signal)) expect(await cache.append(batch)).toBe(true);
    asked.length = 0;
    const skipped = [{ number: 3, id: '3', reason: 'none' }];
    const { pictures } = await flat(new CachedSource(source, cache).labelled(all, [], skipped, signal));
    expect(pictures).toHaveLength(COUNT - 1);
    expect(asked).toEqual([]);
    await cache.close();
  });

  it('of pictures that no saved pass has taken are cut off, and the others kept', async () => {
    const { source } = makeSource(new Set());
    const folder = files.at('cut');
    const options = { taken: 0, limit: 1e6 };
    const first = await ActivationCache.open(folder, SHAPE, options);
    for await (const batch of source.labelled(all.slice(0, 20), signal)) await first.append(batch);
    await first.close();
    const path = join(folder, CACHE_FILE);
    // A process that was killed in the middle of a picture.
    truncateSync(path, 17.5 * RECORD_BYTES);
    const more = await ActivationCache.open(folder, SHAPE, { ...options, taken: 20 });
    expect(more.count).toBe(17);
    await more.close();
    const behind = await ActivationCache.open(folder, SHAPE, { ...options, taken: 9 });
    expect(behind.count).toBe(9);
    const { activations } = await behind.read(8, 9, new ArrayPool());
    expect(activations.data).toEqual(new Random(9).normalTensor([1, ...SHAPE.maps]).data);
    truncateSync(path, 8.5 * RECORD_BYTES);
    await expect(behind.read(8, 9, new ArrayPool())).rejects.toThrow(/activations\.cache is cut short/);
    await behind.close();
  });

  it('do not grow behind a pass that went on without them', async () => {
    const { source } = makeSource(new Set());
    const cache = await ActivationCache.open(files.at('gap'), SHAPE, { taken: 0, limit: 1e6 });
    for await (const batch of source.labelled(all.slice(0, 10), signal)) await cache.append(batch);
    for await (const _ of new CachedSource(source, cache).activations(all.slice(50), 50, signal));
    expect(cache.count).toBe(10);
    await cache.close();
  });

  it('need a folder that can be written to', async () => {
    writeFileSync(files.at('file'), '');
    await expect(ActivationCache.open(files.at('file'), SHAPE, { taken: 0, limit: 1 })).rejects.toThrow(
      /^cannot write .*activations\.cache: /,
    );
  });
});
