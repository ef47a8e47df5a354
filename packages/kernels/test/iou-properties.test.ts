import { Random } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  iouCounts,
  iouCountsSync,
  type MapPlacement,
  placeAtReceptiveFields,
  placeHalfPixel,
  placeZeroPadded,
  TopQuantile,
} from '../src/index.js';

const problems = fc.record({
  images: fc.integer({ min: 1, max: 4 }),
  units: fc.integer({ min: 1, max: 4 }),
  height: fc.integer({ min: 1, max: 8 }),
  width: fc.integer({ min: 1, max: 8 }),
  rows: fc.integer({ min: 1, max: 20 }),
  columns: fc.integer({ min: 1, max: 80 }),
  layers: fc.integer({ min: 0, max: 3 }),
  edge: fc.constantFrom('clamp', 'zero'),
  seed: fc.integer({ min: 0, max: 10000 }),
  threads: fc.integer({ min: 0, max: 4 }),
});

type Problem = typeof problems extends fc.Arbitrary<infer P> ? P : never;

function make({ images, units, height, width, rows, columns, layers, edge, seed }: Problem) {
  const random = new Random(seed);
  const fill = (length: number) => Float32Array.from({ length }, () => Math.fround(random.normal()));
  const place = edge === 'clamp' ? placeHalfPixel : placeZeroPadded;
  return {
    batch: {
      activations: { dims: [images, units, height, width], data: fill(images * units * height * width) },
      pixelLabels: {
        dims: [images, layers, rows, columns],
        data: Int32Array.from({ length: images * layers * rows * columns }, () => random.integer(0, 4)),
      },
      imageLabels: {
        dims: [images, 1],
        data: Int32Array.from({ length: images }, () => random.integer(0, 4)),
      },
    },
    thresholds: Float64Array.from({ length: units }, () => random.normal()),
    concepts: { categoryOf: Int32Array.of(-1, 0, 1, 0, -1), categories: 2 },
    placement: place([height, width], [rows, columns]),
  };
}

describe('any counts', () => {
  it('are those of the definition', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { batch, thresholds, concepts, placement } = make(problem);
        const { counts } = iouCountsSync(batch, thresholds, concepts, placement, {
          threads: problem.threads,
        });
        const slow = iouCountsSync(batch, thresholds, concepts, placement, { backend: 'reference' });
        expect(counts).toEqual(slow.counts);
      }),
      { numRuns: 200 },
    );
  });

  it('are the same however the images are split', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { batch, thresholds, concepts, placement } = make(problem);
        const whole = iouCountsSync(batch, thresholds, concepts, placement).counts;
        let into: typeof whole | undefined;
        for (let image = 0; image < problem.images; image++) {
          const part = <D extends Float32Array | Int32Array>({ dims, data }: { dims: number[]; data: D }) => {
            const size = data.length / problem.images;
            return {
              dims: [1, ...dims.slice(1)],
              data: data.slice(image * size, (image + 1) * size) as D,
            };
          };
          const one = {
            activations: part(batch.activations),
            pixelLabels: part(batch.pixelLabels),
            imageLabels: part(batch.imageLabels),
          };
          into = iouCountsSync(
            one,
            thresholds,
            concepts,
            placement,
            into === undefined ? {} : { into },
          ).counts;
        }
        expect(into).toEqual(whole);
      }),
      { numRuns: 100 },
    );
  });

  it('never exceed the unit, the label, or the whole', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { batch, thresholds, concepts, placement } = make(problem);
        const { intersection, labelPixels, categoryArea, area } = iouCountsSync(
          batch,
          thresholds,
          concepts,
          placement,
        ).counts;
        intersection.data.forEach((both, i) => {
          expect(both <= area.data[Math.floor(i / 5)]!).toBe(true);
          expect(both <= labelPixels.data[i % 5]!).toBe(true);
        });
        categoryArea.data.forEach((part, i) => {
          expect(part <= area.data[Math.floor(i / 2)]!).toBe(true);
        });
      }),
      { numRuns: 100 },
    );
  });
});

describe('placements', () => {
  it('of receptive fields round down', () => {
    // AlexNet's conv5 on labels of half the input's size, and a negative origin.
    expect(placeAtReceptiveFields({ size: 163, stride: 16, offset: 0 }, 2)).toEqual({
      origin: [40, 40],
      step: [8, 8],
      edge: 'clamp',
    });
    expect(placeAtReceptiveFields({ size: 3, stride: 2, offset: -4 }, 2).origin).toEqual([-2, -2]);
    expect(() => placeAtReceptiveFields({ size: 3, stride: 2, offset: 0 }, 4)).toThrow('reduction must be');
  });
});

describe('wrong arguments', () => {
  const good = make({
    images: 2,
    units: 2,
    height: 3,
    width: 3,
    rows: 6,
    columns: 6,
    layers: 1,
    edge: 'clamp',
    seed: 1,
    threads: 1,
  });
  const call = (change: Partial<typeof good>) => {
    const { batch, thresholds, concepts, placement } = { ...good, ...change };
    return () => iouCountsSync(batch, thresholds, concepts, placement);
  };

  it('are named', async () => {
    expect(call({ thresholds: new Float64Array(3) })).toThrow('thresholds must be one for each of 2 units');
    const few = { ...good.batch, imageLabels: { dims: [1, 1], data: new Int32Array(1) } };
    expect(call({ batch: few })).toThrow('imageLabels of 1');
    const flat = { ...good.batch, activations: { dims: [2, 18], data: new Float32Array(36) } };
    expect(call({ batch: flat })).toThrow('activations must have 4 axes');
    const placement: MapPlacement = { ...good.placement, step: [1, -1] };
    expect(call({ placement })).toThrow('step of a placement must be positive');
    // @ts-expect-error: what a caller without types could pass
    expect(call({ placement: { ...good.placement, edge: 'zer' } })).toThrow('did you mean "zero"?');
    const labels = { ...good.batch.pixelLabels, data: good.batch.pixelLabels.data.slice() };
    labels.data[40] = 5;
    for (const backend of ['cpu', 'reference'] as const) {
      const wrong = { ...good.batch, pixelLabels: labels };
      await expect(
        iouCounts(wrong, good.thresholds, good.concepts, good.placement, { backend }),
      ).rejects.toMatchObject({ code: 'bad-input' });
    }
    const { counts } = call({})();
    const short = { ...counts, area: { dims: [1], data: new BigInt64Array(1) } };
    expect(() =>
      iouCountsSync(good.batch, good.thresholds, good.concepts, good.placement, { into: short }),
    ).toThrow('area must have dims [2]');
  });
});

/** numpy's default quantile, from its definition. */
function quantileOf(values: number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (1 - fraction) * (sorted.length - 1);
  const low = sorted[Math.floor(place)]!;
  const high = sorted[Math.min(Math.floor(place) + 1, sorted.length - 1)]!;
  const part = place - Math.floor(place);
  if (low === high) return low + 0;
  return (part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part)) + 0;
}

describe('a top quantile', () => {
  const streams = fc.record({
    units: fc.integer({ min: 1, max: 3 }),
    sizes: fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 6 }),
    fraction: fc.constantFrom(0, 0.005, 0.01, 0.1, 0.5, 1),
    slack: fc.constantFrom(0, 1, 500, Number.POSITIVE_INFINITY),
    kind: fc.constantFrom('normal', 'ties', 'rising', 'infinite'),
    seed: fc.integer({ min: 0, max: 10000 }),
  });

  it('is that of a full sort, for any split, order of merging and detour over a state', () => {
    fc.assert(
      fc.property(streams, ({ units, sizes, fraction, slack, kind, seed }) => {
        const total = sizes.reduce((sum, size) => sum + size, 0);
        if (total === 0) return;
        const random = new Random(seed);
        let next = 0;
        const value = () => {
          const normal = random.normal();
          if (kind === 'ties') return Math.round(normal);
          if (kind === 'rising') return next++;
          return kind === 'infinite' && normal < 1 ? Number.NEGATIVE_INFINITY : Math.fround(normal);
        };
        const batches = sizes.map((size) => ({
          dims: [1, units, size],
          data: Float32Array.from({ length: units * size }, value),
        }));
        const atMost = total + slack;
        const fresh = () => new TopQuantile({ units, fraction, atMost });
        const streamed = fresh();
        for (const batch of batches) streamed.addSync(batch);
        const expected = Array.from({ length: units }, (_, unit) =>
          quantileOf(
            batches.flatMap(({ data, dims: [, , size = 0] }) => [
              ...data.subarray(unit * size, (unit + 1) * size),
            ]),
            fraction,
          ),
        );
        expect([...streamed.result()]).toEqual(expected);
        if (Number.isFinite(atMost)) expect(streamed.bytes).toBeLessThanOrEqual(streamed.maxBytes);

        const merged = fresh();
        for (const batch of batches.reverse()) {
          const shard = fresh();
          shard.addSync(batch);
          merged.merge(TopQuantile.fromState(shard.toState()));
        }
        expect([...merged.result()]).toEqual(expected);
        expect(merged.toState()).toEqual(streamed.toState());
      }),
      { numRuns: 150 },
    );
  });

  it('runs off the calling thread and says on which back end', async () => {
    const quantile = new TopQuantile({ units: 2, fraction: 0.5 });
    const adding = quantile.add({ dims: [1, 2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    expect(() => quantile.result()).toThrow('it is being added to');
    expect(await adding).toBe('cpu');
    expect([...quantile.result()]).toEqual([2, 5]);
    expect(quantile.count).toBe(3);
  });

  it('holds about twice what can matter', () => {
    const quantile = new TopQuantile({ units: 1, fraction: 0.01, atMost: 1_000_000 });
    const random = new Random(4);
    for (let i = 0; i < 20; i++) {
      quantile.addSync({
        dims: [50000, 1],
        data: Float32Array.from({ length: 50000 }, () => random.normal()),
      });
    }
    expect(quantile.maxBytes).toBeLessThan(2.01 * 4 * 10_002);
    expect(quantile.bytes).toBeLessThanOrEqual(quantile.maxBytes);
    // 1,000,000 normal values: a standard error of 0.0037.
    expect(Math.abs(quantile.result()[0]! - 2.3263)).toBeLessThan(0.02);
  });

  it('refuses NaN, and is of no use afterwards', () => {
    for (const backend of ['cpu', 'reference'] as const) {
      const quantile = new TopQuantile({ units: 1, fraction: 0.5 });
      quantile.addSync({ dims: [2, 1], data: Float32Array.of(1, 2) });
      const wrong = { dims: [3, 1], data: Float32Array.of(1, Number.NaN, 2) };
      expect(() => quantile.addSync(wrong, { backend })).toThrow('NaN');
      expect(() => quantile.result()).toThrow('cannot be used');
    }
  });

  it('names what is wrong', () => {
    expect(() => new TopQuantile({ units: 0, fraction: 0.5 })).toThrow('units must be');
    expect(() => new TopQuantile({ units: 1, fraction: 1.5 })).toThrow('fraction must be');
    expect(() => new TopQuantile({ units: 1, fraction: 0.5, atMost: 0 })).toThrow('atMost must be');
    expect(() => new TopQuantile({ units: 1, fraction: 1, atMost: 2 ** 40 })).toThrow('too large');
    const quantile = new TopQuantile({ units: 2, fraction: 0.5, atMost: 3 });
    expect(() => quantile.result()).toThrow('no values');
    expect(() => quantile.addSync({ dims: [1, 3], data: new Float32Array(3) })).toThrow(
      'a batch must be [images, 2, ...]',
    );
    expect(() => quantile.addSync({ dims: [4, 2], data: new Float32Array(8) })).toThrow('more than atMost');
    expect(() => quantile.merge(new TopQuantile({ units: 2, fraction: 0.1, atMost: 3 }))).toThrow(
      'only another selection',
    );
    expect(() => TopQuantile.fromState({ ...quantile.toState(), count: 2 })).toThrow(
      'a state of 2 values must hold',
    );
  });
});
