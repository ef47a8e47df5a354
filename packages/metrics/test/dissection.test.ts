import { Random } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  conceptsOf,
  type DissectionParameters,
  decodeState,
  dissectionOf,
  dissectionParameters,
  encodeState,
  formatTally,
  type LabelTable,
  placeCells,
  TopPictures,
  UnitCounts,
  UnitThresholds,
} from '../src/index.js';

const TABLE: LabelTable = {
  categories: ['object', 'part'],
  labels: [
    { index: 1, name: 'road', category: 'object' },
    { index: 2, name: 'sky', category: 'object' },
    { index: 4, name: 'a "wheel", left', category: 'part' },
  ],
};

function countsOf(entries: { both: number[][]; labels: number[]; category: number[][]; area: number[] }) {
  const of = (values: readonly number[], ...dims: number[]) => ({
    dims,
    data: BigInt64Array.from(values, BigInt),
  });
  const units = entries.area.length;
  return {
    intersection: of(entries.both.flat(), units, 5),
    labelPixels: of(entries.labels, 5),
    categoryArea: of(entries.category.flat(), units, 2),
    area: of(entries.area, units),
  };
}

describe('the result', () => {
  // Unit 107 of AlexNet on Places365, conv5, as published: road 0.15547.
  const counts = countsOf({
    both: [
      [0, 2171174, 0, 0, 0],
      [0, 10, 10, 0, 30],
      [0, 0, 0, 0, 0],
    ],
    labels: [0, 3044167, 400, 0, 50],
    category: [
      [13092677, 0],
      [100, 60],
      [7, 7],
    ],
    area: [20000000, 500, 7],
  });
  const thresholds = Float64Array.of(1, 2, 3);

  it('has the published number of a unit that detects roads', () => {
    const { units } = dissectionOf(counts, thresholds, TABLE, dissectionParameters());
    const best = units[0]!.best!;
    expect(best.label.name).toBe('road');
    expect(best.union).toBe(3044167 + 13092677 - 2171174);
    expect(best.iou.toFixed(5)).toBe('0.15547');
  });

  it('counts unique detectors in both ways', () => {
    const { units, summary } = dissectionOf(counts, thresholds, TABLE, dissectionParameters());
    expect(units[1]!.perCategory.map(({ label, iou }) => [label.name, iou])).toEqual([
      ['sky', 10 / 490],
      ['a "wheel", left', 30 / 80],
    ]);
    expect(units[2]!.best).toBeUndefined();
    expect(summary).toEqual({
      units: 3,
      detectors: 2,
      uniqueDetectors: {
        paper: { total: 2, perCategory: { object: 1, part: 1 } },
        best: { total: 2, perCategory: { object: 1, part: 1 } },
      },
    });
    const low = dissectionOf(counts, thresholds, TABLE, dissectionParameters({ iouThreshold: 0.02 }));
    // The second unit's best of the objects counts in the paper's figures, though it is no unit's best of all.
    expect(low.summary.uniqueDetectors.paper).toEqual({ total: 3, perCategory: { object: 2, part: 1 } });
    expect(low.summary.uniqueDetectors.best.total).toBe(2);
  });

  it('has the unrestricted area where the convention says so', () => {
    const { units } = dissectionOf(
      counts,
      thresholds,
      TABLE,
      dissectionParameters({ convention: 'dissect' }),
    );
    expect(units[1]!.best!.iou).toBe(30 / (500 + 50 - 30));
  });

  it('is a tally as the field writes it', () => {
    const { units } = dissectionOf(counts, thresholds, TABLE, dissectionParameters());
    const lines = formatTally(units, TABLE.categories).split('\n');
    expect(lines[0]).toBe(
      'unit,category,label,score,object-label,object-truth,object-activation,object-intersect,object-iou,' +
        'part-label,part-truth,part-activation,part-intersect,part-iou',
    );
    expect(lines[1]).toBe(
      `2,part,"a ""wheel"", left",0.375,sky,400,100,10,${10 / 490},"a ""wheel"", left",50,60,30,0.375`,
    );
    expect(lines[2]!.startsWith('1,object,road,0.155')).toBe(true);
    expect(lines[3]).toBe('3,,,0,,,,,,,,,,');
    expect(lines).toHaveLength(5);
  });
});

describe.each(['paper', 'lite', 'dissect'] as const)('any split of the pictures: %s', (convention) => {
  const parameters: DissectionParameters = dissectionParameters({ convention, quantile: 0.1 });
  const [units, cells, pixels] = [4, 3, 9];
  const field = { size: 5, stride: 4, offset: -1 };
  const placement = placeCells(parameters, {
    cells: [cells, cells],
    pixels: [pixels, pixels],
    input: [pixels, pixels],
    receptiveField: [field, field],
  });

  function batchOf(seed: number, pictures: readonly number[]) {
    const each = pictures.map((picture) => {
      const random = new Random(seed * 1000 + picture);
      return {
        maps: Array.from({ length: units * cells * cells }, () => Math.round(8 * random.normal()) / 4),
        labels: Array.from(
          { length: 2 * pixels * pixels },
          () => [0, 0, 1, 2, 4][Math.floor(5 * random.uniform())]!,
        ),
      };
    });
    return {
      activations: {
        dims: [pictures.length, units, cells, cells],
        data: Float32Array.from(each.flatMap(({ maps }) => maps)),
      },
      pixelLabels: {
        dims: [pictures.length, 2, pixels, pixels],
        data: Int32Array.from(each.flatMap(({ labels }) => labels)),
      },
    };
  }

  async function dissect(seed: number, shards: readonly (readonly number[])[]) {
    const atMost = 1000;
    const reread = (state: Parameters<typeof encodeState>[0]) => decodeState(encodeState(state), 'state');
    const thresholds = UnitThresholds.start({ units, atMost, parameters });
    const top = new TopPictures(units, 3);
    for (const shard of shards) {
      const own = UnitThresholds.start({ units, atMost, parameters });
      const ownTop = new TopPictures(units, 3);
      const { activations } = batchOf(seed, shard);
      await own.add(activations);
      await ownTop.add({ activations, pictures: shard });
      thresholds.merge(UnitThresholds.fromState(reread(own.toState())));
      top.merge(TopPictures.fromState(reread(ownTop.toState())));
    }
    const options = { thresholds: thresholds.result(), table: TABLE, placement, parameters };
    const counts = new UnitCounts(options);
    for (const shard of shards) {
      const own = new UnitCounts(options);
      for (const picture of shard) await own.add(batchOf(seed, [picture]));
      counts.merge(UnitCounts.fromState(reread(own.toState()), options));
    }
    const result = dissectionOf(counts.result(), options.thresholds, TABLE, parameters);
    return JSON.stringify([result, top.result()]);
  }

  it('gives the same result', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 99 }),
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 }),
        async (seed, homes) => {
          const all = homes.map((_, picture) => picture);
          const shards = [0, 1, 2, 3].map((shard) =>
            all.filter((picture) => homes[picture] === shard).reverse(),
          );
          expect(await dissect(seed, shards)).toBe(await dissect(seed, [all]));
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('the strongest pictures', () => {
  it('are those of the largest maxima, of equals the first in the data set', async () => {
    const value = fc.integer({ min: -3, max: 3 });
    const map = fc.array(value, { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(map, map), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        async (pictures, batchSize) => {
          const top = new TopPictures(2, 3);
          for (let start = 0; start < pictures.length; start += batchSize) {
            const batch = pictures.slice(start, start + batchSize);
            await top.add({
              activations: { dims: [batch.length, 2, 2, 2], data: Float32Array.from(batch.flat(2)) },
              pictures: batch.map((_, i) => start + i),
            });
          }
          const expected = [0, 1].map((unit) =>
            pictures
              .map((maps, picture) => ({ picture, activation: Math.max(...maps[unit]!) }))
              .sort((a, b) => b.activation - a.activation || a.picture - b.picture)
              .slice(0, 3),
          );
          expect(top.result()).toEqual(expected);
        },
      ),
    );
  });

  it('are not sought among NaN', async () => {
    const top = new TopPictures(2, 3);
    const activations = { dims: [1, 2, 1, 2], data: Float32Array.of(1, 2, Number.NaN, 3) };
    await expect(top.add({ activations, pictures: [0] })).rejects.toThrow(
      'unit 1 has an activation that is NaN',
    );
    expect(top.result()).toEqual([[], []]);
  });
});

describe('refuses', () => {
  it.each<[string, LabelTable]>([
    ['a category is given twice', { ...TABLE, categories: ['object', 'object'] }],
    ['it has no labels', { ...TABLE, labels: [] }],
    ['index 2097152 is above', { ...TABLE, labels: [{ index: 2 ** 21, name: 'a', category: 'part' }] }],
    ['indices are integers from 1', { ...TABLE, labels: [{ index: 0, name: 'a', category: 'part' }] }],
    ['index 1 is given twice', { ...TABLE, labels: [TABLE.labels[0]!, TABLE.labels[0]!] }],
    ['is of category "x"', { ...TABLE, labels: [{ index: 1, name: 'a', category: 'x' }] }],
  ])('a table: %s', (message, table) => {
    expect(() => conceptsOf(table)).toThrow(message);
  });

  it('parameters outside their range and receptive fields that are not known', () => {
    expect(() => dissectionParameters({ quantile: 0 })).toThrow('quantile must be');
    expect(() => dissectionParameters({ iouThreshold: 1 })).toThrow('iouThreshold must be');
    const maps = { cells: [2, 2], pixels: [4, 4], input: [8, 8] } as const;
    expect(() => placeCells(dissectionParameters(), maps)).toThrow('receptive fields, which are not known');
  });

  it('states that were damaged', () => {
    const state = new TopPictures(2, 3).toState();
    const bytes = encodeState(state);
    expect(() => decodeState(bytes.subarray(0, 40), 'a file')).toThrow('a file');
    const reader = decodeState(bytes, 'a file');
    expect(() => reader.get('lengths').array(Int32Array, 5)).toThrow(
      'a file: lengths has 2 elements instead of 5',
    );
    expect(() => reader.get('missing').count()).toThrow('a file: missing is not a number');
    expect(() => UnitThresholds.fromState(reader)).toThrow('a file: kept is not a number');
  });
});
