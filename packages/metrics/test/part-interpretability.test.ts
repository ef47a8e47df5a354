import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeState,
  encodeState,
  type FieldTemplate,
  type PartBatch,
  PartInterpretability,
  type PartInterpretabilityOptions,
  scaledField,
} from '../src/index.js';

const PARTS = [
  { index: 3, name: 'head' },
  { index: 1, name: 'tail' },
];
const square = (side: number): FieldTemplate => ({
  height: side,
  width: side,
  data: new Uint8Array(side * side).fill(1),
});

describe('the worked example', () => {
  // Two filters of 2 x 2 units that lie on the pixels (1, 1), (1, 4), (4, 1), (4, 4) of 6 x 6.
  const options: PartInterpretabilityOptions = {
    thresholds: Float64Array.of(1, 1),
    fields: [square(3)],
    parts: PARTS,
    origin: [1, 1],
    step: [3, 3],
    input: [6, 6],
  };
  /** A rectangle of a part: rows and columns from the first to before the second. */
  const fill = (labels: Int32Array, part: number, [y0, y1, x0, x1]: readonly number[]) => {
    for (let y = y0!; y < y1!; y++) labels.fill(part, y * 6 + x0!, y * 6 + x1!);
  };

  it('has the numbers worked by hand', async () => {
    const labels = new Int32Array(3 * 36);
    // The first picture: a head exactly where unit (0, 0) looks, a tail over the lower half.
    fill(labels.subarray(0, 36), 3, [0, 3, 0, 3]);
    fill(labels.subarray(0, 36), 1, [3, 6, 0, 6]);
    // The second: a head of one pixel, no tail. The third: no part at all, but a label that is none.
    fill(labels.subarray(36, 72), 3, [0, 1, 0, 1]);
    fill(labels.subarray(72), 2, [0, 6, 0, 6]);
    const activations = Float32Array.of(
      // First picture: filter 0 at (0, 0); filter 1 at (1, 0) and (1, 1), and at the threshold at (0, 0).
      ...[2, 0, 0, 1],
      ...[1, 0, 2, 3],
      // Second: filter 0 at (0, 0): IoU 1/9 with the head; filter 1 nowhere.
      ...[5, 0, 0, 0],
      ...[0, 0, 0, 0],
      ...[9, 9, 9, 9],
      ...[9, 9, 9, 9],
    );
    const stat = new PartInterpretability(options);
    await stat.add({
      activations: { dims: [3, 2, 2, 2], data: activations },
      labels: { dims: [3, 1, 6, 6], data: labels },
    });
    expect(stat.result()).toEqual({
      interpretability: 0.75,
      pictures: 3,
      parts: [
        { name: 'head', pictures: 2 },
        { name: 'tail', pictures: 1 },
      ],
      filters: [
        { filter: 0, score: 0.5, part: 'head', hitRates: [0.5, 0] },
        { filter: 1, score: 1, part: 'tail', hitRates: [0, 1] },
      ],
    });
  });

  it('hits above the threshold and not at it', async () => {
    const labels = new Int32Array(36);
    // The region is 9 pixels, the head 6 of which 3 are in it: 3 / 12.
    fill(labels, 3, [0, 1, 0, 6]);
    const batch: PartBatch = {
      activations: { dims: [1, 1, 2, 2], data: Float32Array.of(2, 0, 0, 0) },
      labels: { dims: [1, 1, 6, 6], data: labels },
    };
    for (const [iouThreshold, score] of [
      [0.25, 0],
      [0.24, 1],
    ] as const) {
      const stat = new PartInterpretability({ ...options, thresholds: Float64Array.of(1), iouThreshold });
      await stat.add(batch);
      expect(stat.result().interpretability).toBe(score);
    }
  });

  it('has no value without parts in the pictures', async () => {
    const stat = new PartInterpretability(options);
    await stat.add({
      activations: { dims: [1, 2, 2, 2], data: new Float32Array(8).fill(2) },
      labels: { dims: [1, 1, 6, 6], data: new Int32Array(36) },
    });
    const { interpretability, filters } = stat.result();
    expect(interpretability).toBeNaN();
    expect(filters[0]).toMatchObject({ part: undefined, score: Number.NaN });
  });
});

interface Setting {
  readonly options: PartInterpretabilityOptions;
  readonly batch: PartBatch;
}

/** Filters with templates of noise, pictures of 8 x 9 with labels of noise in two layers. */
function randomSetting(seed: number, pictures: number): Setting {
  const random = new Random(seed);
  const whole = (count: number, high: number) =>
    Int32Array.from({ length: count }, () => random.integer(0, high));
  const template = (): FieldTemplate => {
    const [height, width] = [2 * random.integer(0, 3) + 1, 2 * random.integer(0, 3) + 1];
    return { height, width, data: Uint8Array.from(whole(height * width, 1)) };
  };
  return {
    options: {
      thresholds: Float64Array.of(2, Number.NaN, 3),
      fields: [template(), template(), template()],
      parts: PARTS,
      origin: [0.5, -1],
      step: [3, 2.5],
      input: [8, 9],
    },
    batch: {
      activations: { dims: [pictures, 3, 3, 4], data: Float32Array.from(whole(36 * pictures, 4)) },
      labels: { dims: [pictures, 2, 8, 9], data: whole(144 * pictures, 5) },
    },
  };
}

function picturesOf({ activations, labels }: PartBatch, chosen: readonly number[]): PartBatch {
  const rows = (data: ArrayLike<number>, width: number) =>
    chosen.flatMap((picture) => Array.from({ length: width }, (_, i) => data[picture * width + i]!));
  return {
    activations: { dims: [chosen.length, 3, 3, 4], data: Float32Array.from(rows(activations.data, 36)) },
    labels: { dims: [chosen.length, 2, 8, 9], data: Int32Array.from(rows(labels.data, 144)) },
  };
}

/** P_fk from the definition, pixel by pixel. */
function slowHitRates({ options, batch }: Setting): number[][] {
  const { thresholds, fields, parts, origin, step } = options;
  const pictures = batch.activations.dims[0]!;
  return [0, 1, 2].map((filter) =>
    parts.map(({ index }) => {
      let [hits, having] = [0, 0];
      for (let picture = 0; picture < pictures; picture++) {
        let [part, region, both] = [0, 0, 0];
        for (let y = 0; y < 8; y++) {
          for (let x = 0; x < 9; x++) {
            const isPart = [0, 1].some(
              (layer) => batch.labels.data[((picture * 2 + layer) * 8 + y) * 9 + x] === index,
            );
            const { height, width, data } = fields[filter]!;
            const isIn = Array.from({ length: 12 }, (_, unit) => unit).some((unit) => {
              const [row, column] = [Math.floor(unit / 4), unit % 4];
              if (!(batch.activations.data[(picture * 3 + filter) * 12 + unit]! > thresholds[filter]!))
                return false;
              const dy = y - Math.ceil(origin[0] + row * step[0] - 0.5) + (height - 1) / 2;
              const dx = x - Math.ceil(origin[1] + column * step[1] - 0.5) + (width - 1) / 2;
              return dy >= 0 && dy < height && dx >= 0 && dx < width && data[dy * width + dx] === 1;
            });
            if (isPart) part++;
            if (isIn) region++;
            if (isPart && isIn) both++;
          }
        }
        if (part === 0) continue;
        having++;
        if (both / (part + region - both) > 0.2) hits++;
      }
      return hits / having;
    }),
  );
}

describe('over pictures of noise', () => {
  it('is as the definition counts it', async () => {
    let hits = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 10_000 }), async (seed) => {
        const setting = randomSetting(seed, 3);
        const stat = new PartInterpretability(setting.options);
        await stat.add(setting.batch);
        const expected = slowHitRates(setting);
        expect(stat.result().filters.map(({ hitRates }) => hitRates)).toEqual(expected);
        hits += expected.flat().filter((rate) => rate > 0).length;
      }),
      { numRuns: 60 },
    );
    // Without a hit anywhere the comparison would say nothing.
    expect(hits).toBeGreaterThan(0);
  });

  it('is the same for every order, split and restored state', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1000 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 4 }),
        async (seed, pictures, shards) => {
          const { options, batch } = randomSetting(seed, pictures);
          const whole = new PartInterpretability(options);
          await whole.add(batch);
          const merged = new PartInterpretability(options);
          const all = Array.from({ length: pictures }, (_, picture) => picture).reverse();
          for (let shard = 0; shard < shards; shard++) {
            const own = new PartInterpretability(options);
            await own.add(
              picturesOf(
                batch,
                all.filter((picture) => picture % shards === shard),
              ),
            );
            const saved = decodeState(encodeState(own.toState()), 'state');
            merged.merge(PartInterpretability.fromState(saved, options));
          }
          expect(merged.result()).toEqual(whole.result());
          expect(merged.toState()).toEqual(whole.toState());
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('refuses', () => {
  const { options, batch } = randomSetting(1, 2);
  const maps = (dims: readonly number[], value = 0): Tensor => ({
    dims,
    data: new Float32Array(dims.reduce((size, dim) => size * dim, 1)).fill(value),
  });

  it.each<[string, Partial<PartBatch>]>([
    ['activations must be [n, 3, h, w]', { activations: maps([2, 4, 3, 4]) }],
    ['labels must be [2, layers, 8, 9]', { labels: { dims: [2, 1, 9, 8], data: new Int32Array(144) } }],
    ['labels must be [2', { labels: { dims: [1, 1, 8, 9], data: new Int32Array(72) } }],
    ['not all numbers', { activations: maps([2, 3, 3, 4], Number.NaN) }],
  ])('%s', async (message, wrong) => {
    const stat = new PartInterpretability(options);
    const before = stat.toState();
    await expect(async () => stat.add({ ...batch, ...wrong })).rejects.toThrow(message);
    expect(stat.toState()).toEqual(before);
  });

  it.each<[string, Partial<PartInterpretabilityOptions>]>([
    ['needs thresholds', { thresholds: new Float64Array(0) }],
    ['2 fields are given for 3 filters', { fields: [square(1), square(3)] }],
    ['iouThreshold must be', { iouThreshold: 1 }],
    ['parts need an index each', { parts: [PARTS[0]!, PARTS[0]!] }],
    ['parts need an index each', { parts: [] }],
    ['has no middle', { fields: [square(2)] }],
  ])('%s', (message, wrong) => {
    expect(() => new PartInterpretability({ ...options, ...wrong })).toThrow(message);
  });

  it('to merge what was measured otherwise', () => {
    const stat = new PartInterpretability(options);
    const others: Partial<PartInterpretabilityOptions>[] = [
      { iouThreshold: 0.3 },
      { fields: [square(3)] },
      { thresholds: Float64Array.of(2, Number.NaN, Number.POSITIVE_INFINITY) },
    ];
    for (const other of others)
      expect(() => stat.merge(new PartInterpretability({ ...options, ...other }))).toThrow('same options');
  });
});

describe('the scaled receptive field', () => {
  it.each([
    [[11, 11], 1, [11, 11]],
    [[11, 4], 1, [11, 5]],
    [[195, 100], 0.5, [97, 51]],
    [[3, 1], 0.1, [1, 1]],
  ] as const)('of %j by %d has %j pixels', (size, factor, [height, width]) => {
    expect(scaledField(size, factor)).toEqual({
      height,
      width,
      data: new Uint8Array(height * width).fill(1),
    });
  });

  it('is refused for a factor that is not above 0', () => {
    expect(() => scaledField([3, 3], 0)).toThrow('must be above 0');
  });
});
