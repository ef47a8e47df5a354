import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FoundPatterns, LocationInstability, positionInstability } from '../src/index.js';

const doubles = (dims: readonly number[], values: readonly number[]): Tensor<Float64Array> => ({
  dims,
  data: Float64Array.from(values),
});

describe('instability of positions', () => {
  it('is that of maps whose largest activations are there, by the same protocol', async () => {
    const cases = fc.record({
      pictures: fc.integer({ min: 2, max: 30 }),
      filters: fc.integer({ min: 1, max: 5 }),
      landmarks: fc.integer({ min: 1, max: 3 }),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ pictures, filters, landmarks, seed }) => {
        const random = new Random(seed);
        const activations = random.normalTensor([pictures, filters, 4, 5]);
        const marks = doubles(
          [pictures, landmarks, 2],
          Array.from({ length: pictures * landmarks }, () =>
            random.uniform() < 0.2
              ? [Number.NaN, Number.NaN]
              : [40 * random.uniform(), 50 * random.uniform()],
          ).flat(),
        );
        const names = Array.from({ length: landmarks }, (_, i) => `part ${i}`);
        const stat = new LocationInstability({
          protocol: 'explanatory-graph',
          filters,
          landmarks: names,
          categories: ['thing'],
          origin: [3, 2],
          step: [10, 9],
          input: [40, 50],
        });
        await stat.add({
          activations,
          landmarks: marks,
          categories: Array(pictures).fill(0),
          numbers: Array.from({ length: pictures }, (_, i) => i),
        });
        const expected = stat.result();
        const position = new Float64Array(pictures * filters * 2);
        const score = new Float32Array(pictures * filters);
        for (let map = 0; map < score.length; map++) {
          const cells = activations.data.subarray(20 * map, 20 * map + 20);
          const cell = cells.indexOf(Math.max(...cells));
          score[map] = cells[cell]!;
          position.set([3 + 10 * Math.floor(cell / 5), 2 + 9 * (cell % 5)], 2 * map);
        }
        const found = positionInstability(
          {
            position: { dims: [pictures, filters, 2], data: position },
            score: { dims: [pictures, filters], data: score },
            landmarks: marks,
            input: [40, 50],
          },
          { resamples: 0 },
        );
        const same = (actual: number, wanted: number) =>
          Number.isNaN(wanted) ? expect(actual).toBeNaN() : expect(actual).toBeCloseTo(wanted, 12);
        same(found.instability, expected.instability);
        for (const [k, { instability }] of expected.landmarks.entries())
          same(found.landmarks[k]!, instability);
        for (const { filter, instability } of expected.filters)
          same(found.patterns.find(({ pattern }) => pattern === filter)!.instability, instability);
        expect(found.interval).toBeUndefined();
      }),
      { numRuns: 80 },
    );
  });

  const found: FoundPatterns = {
    // The first pattern keeps its distance of 5, the second does not.
    position: doubles([3, 2, 2], [0, 0, 0, 0, 1, 1, 0, 0, 2, 2, 0, 0]),
    score: { dims: [3, 2], data: Float32Array.of(1, 3, 1, 3, 1, 3) },
    landmarks: doubles([3, 1, 2], [3, 4, 4, 5, 5, 6]),
    input: [3, 4],
  };

  it('counts the patterns of the highest scores', () => {
    const both = positionInstability(found);
    expect(both.patterns[0]).toEqual({ pattern: 0, instability: 0 });
    const distances = [5, Math.hypot(4, 5), Math.hypot(5, 6)];
    const mean = distances.reduce((sum, value) => sum + value, 0) / 3;
    const deviation = Math.sqrt(distances.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2) / 5;
    expect(both.patterns[1]!.instability).toBeCloseTo(deviation, 12);
    expect(both.instability).toBeCloseTo(deviation / 2, 12);
    const [low, high] = both.interval!;
    expect(low).toBeGreaterThanOrEqual(0);
    expect(high).toBeLessThanOrEqual(deviation);
    expect(high).toBeGreaterThan(low);
    expect(positionInstability(found, { patterns: 1 }).patterns.map(({ pattern }) => pattern)).toEqual([1]);
    expect(positionInstability(found, { seed: 2 })).toEqual(positionInstability(found, { seed: 2 }));
  });

  it('refuses what does not fit', () => {
    expect(() => positionInstability({ ...found, position: doubles([3, 2], [1, 2, 3, 4, 5, 6]) })).toThrow(
      /position must be \[3, 2, 2\]/,
    );
    expect(() => positionInstability({ ...found, landmarks: doubles([3, 0, 2], []) })).toThrow(
      /needs landmarks/,
    );
    expect(() => positionInstability(found, { pictures: 1 })).toThrow(/pictures must be an integer from 2/);
  });
});
