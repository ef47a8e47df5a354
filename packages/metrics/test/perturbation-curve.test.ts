import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blurredPicture,
  meanPicture,
  type PerturbationOptions,
  perturbationCurve,
  pixelOrder,
  relevanceOf,
  type ScoresOf,
} from '../src/index.js';

/** w . x of each picture. */
const linearScorer =
  (weights: Float32Array): ScoresOf =>
  ({ dims, data }) => {
    const [count = 0] = dims;
    const scores = Float64Array.from({ length: count }, (_, n) =>
      weights.reduce((sum, weight, i) => sum + weight * data[n * weights.length + i]!, 0),
    );
    return Promise.resolve(scores);
  };

const picture = (dims: readonly number[], values: ArrayLike<number>): Tensor => ({
  dims,
  data: Float32Array.from(values),
});

describe('the curves', () => {
  it('have the numbers worked by hand', async () => {
    const scores = linearScorer(Float32Array.of(1, 2, 3, 4));
    const given = picture([1, 2, 2], [1, 1, 1, 1]);
    const baseline = picture([1, 2, 2], [0, 0, 0, 0]);
    const relevance = relevanceOf({ dims: [2, 2], data: Float32Array.of(0, 5, 0, 9) });
    // Pixels 3, 1, 0, 2, those without relevance in their own order; halves first, then quarters.
    const deletion = await perturbationCurve(given, relevance, scores, {
      kind: 'deletion',
      baseline,
      steps: 2,
    });
    expect([...deletion.fractions]).toEqual([0, 0.5, 1]);
    expect([...deletion.scores]).toEqual([10, 4, 0]);
    expect(deletion.area).toBe((10 + 4) / 4 + (4 + 0) / 4);
    const insertion = await perturbationCurve(given, relevance, scores, {
      kind: 'insertion',
      baseline,
      steps: 4,
    });
    expect([...insertion.scores]).toEqual([0, 4, 6, 7, 10]);
    expect(insertion.area).toBe((0 / 2 + 4 + 6 + 7 + 10 / 2) / 4);
  });

  it('exchange all channels of a pixel, and as many pixels as a step says', async () => {
    const seen: number[][] = [];
    const scores: ScoresOf = ({ dims, data }) => {
      for (let n = 0; n < dims[0]!; n++) seen.push([...data.subarray(6 * n, 6 * n + 6)]);
      return Promise.resolve(new Float64Array(dims[0]!));
    };
    const relevance = relevanceOf({ dims: [1, 3], data: Float32Array.of(1, 3, 2) });
    const options = {
      kind: 'deletion',
      baseline: picture([2, 1, 3], new Float32Array(6)),
      steps: 2,
    } as const;
    await perturbationCurve(picture([2, 1, 3], [1, 2, 3, 4, 5, 6]), relevance, scores, options);
    expect(seen).toEqual([
      [1, 2, 3, 4, 5, 6],
      [1, 0, 3, 4, 0, 6],
      [0, 0, 0, 0, 0, 0],
    ]);
  });

  it('are the same whatever the batch', async () => {
    const random = new Random(3);
    const weights = random.normalTensor([48]).data;
    const relevance = relevanceOf(random.normalTensor([4, 4]));
    const given = random.normalTensor([3, 4, 4]);
    const run = (batchSize: number) =>
      perturbationCurve(given, relevance, linearScorer(weights), {
        kind: 'insertion',
        baseline: blurredPicture(given),
        steps: 7,
        batchSize,
      });
    const whole = await run(100);
    for (const batchSize of [1, 2, 3, 8]) expect(await run(batchSize)).toEqual(whole);
  });

  it('of the true map of a linear score are the best there are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 10_000 }), async (seed) => {
        const random = new Random(seed);
        // Whole numbers, so that sums do not depend on their order.
        const whole = (count: number) => Float32Array.from({ length: count }, () => random.integer(-9, 9));
        const [weights, values] = [whole(30), whole(30)];
        const given = picture([1, 5, 6], values);
        const baseline = picture([1, 5, 6], new Float32Array(30));
        const area = async (map: Float32Array, kind: PerturbationOptions['kind']) => {
          const relevance = relevanceOf({ dims: [5, 6], data: map });
          const options = { kind, baseline, steps: 30 };
          return (await perturbationCurve(given, relevance, linearScorer(weights), options)).area;
        };
        const exact = weights.map((weight, i) => weight * values[i]!);
        const other = whole(30);
        // Areas are sums of whole numbers by the fractions of 30 steps: equal ones differ by rounding alone.
        const rounding = 60 * 30 * 81 * 2 ** -52;
        expect(await area(exact, 'deletion')).toBeLessThanOrEqual((await area(other, 'deletion')) + rounding);
        expect(await area(exact, 'insertion')).toBeGreaterThanOrEqual(
          (await area(other, 'insertion')) - rounding,
        );
      }),
      { numRuns: 50 },
    );
    const weights = Float32Array.from({ length: 16 }, (_, i) => i);
    const given = picture([1, 4, 4], new Float32Array(16).fill(1));
    const run = async (map: Float32Array) => {
      const options = {
        kind: 'deletion',
        baseline: picture([1, 4, 4], new Float32Array(16)),
        steps: 16,
      } as const;
      return (
        await perturbationCurve(
          given,
          relevanceOf({ dims: [4, 4], data: map }),
          linearScorer(weights),
          options,
        )
      ).area;
    };
    expect(await run(weights)).toBeLessThan(await run(new Random(1).normalTensor([16]).data));
  });

  it('take equal pixels row by row', () => {
    expect([...pixelOrder(relevanceOf({ dims: [2, 3], data: Float32Array.of(0, 1, -1, 1, 0, 2) }))]).toEqual([
      5, 1, 3, 0, 4, 2,
    ]);
  });

  const relevance = relevanceOf({ dims: [1, 2], data: Float32Array.of(1, 2) });
  const options = { kind: 'deletion', baseline: picture([1, 1, 2], [0, 0]), steps: 2 } as const;
  const zero: ScoresOf = ({ dims }) => Promise.resolve(new Float64Array(dims[0]!));

  it.each<[string, Partial<PerturbationOptions>, Tensor, ScoresOf]>([
    ['the picture must be', {}, picture([1, 2, 1], [1, 1]), zero],
    ['the baseline must be', { baseline: picture([1, 1, 1], [0]) }, picture([1, 1, 2], [1, 1]), zero],
    ['steps must be', { steps: 3 }, picture([1, 1, 2], [1, 1]), zero],
    ['steps must be', { steps: 0 }, picture([1, 1, 2], [1, 1]), zero],
    ['batchSize must be', { batchSize: 0 }, picture([1, 1, 2], [1, 1]), zero],
    ['1 scores were given for 3', {}, picture([1, 1, 2], [1, 1]), async () => new Float64Array(1)],
    ['is NaN', {}, picture([1, 1, 2], [1, 1]), async () => new Float64Array(3).fill(Number.NaN)],
  ])('refuse: %s', async (message, wrong, given, scoresOf) => {
    await expect(perturbationCurve(given, relevance, scoresOf, { ...options, ...wrong })).rejects.toThrow(
      message,
    );
  });

  it('stop when they are told to', async () => {
    const signal = AbortSignal.abort();
    await expect(
      perturbationCurve(picture([1, 1, 2], [1, 1]), relevance, zero, { ...options, signal }),
    ).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('baselines', () => {
  it('are the mean of each channel', () => {
    const { data } = meanPicture(picture([2, 1, 2], [1, 3, -4, 0]));
    expect([...data]).toEqual([2, 2, -2, -2]);
  });

  it('blur a uniform picture into itself, to its borders', () => {
    const { data } = blurredPicture(picture([1, 9, 7], new Float32Array(63).fill(3)));
    // Sums of at most 11 weights in each direction, then float32.
    for (const value of data) expect(Math.abs(value - 3)).toBeLessThanOrEqual(3 * 2 ** -24);
  });

  it('spread a point as a Gaussian of 11 taps', () => {
    const dot = new Float32Array(25 * 25);
    dot[12 * 25 + 12] = 1;
    const { data } = blurredPicture(picture([1, 25, 25], dot));
    const at = (y: number, x: number) => data[(12 + y) * 25 + 12 + x]!;
    const ratio = at(3, -2) / at(0, 0);
    // Three values rounded to float32.
    expect(Math.abs(ratio / Math.exp(-(9 + 4) / 50) - 1)).toBeLessThan(4 * 2 ** -24);
    expect(at(6, 0)).toBe(0);
    expect(at(0, -5)).toBeGreaterThan(0);
  });

  it('are refused for what is no picture', () => {
    expect(() => meanPicture(picture([2, 2], [1, 1, 1, 1]))).toThrow('a picture is [channels');
  });
});
