import { Random, sliceBatch, type Tensor, UnitscopeError, zeros } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { categoryWeights, FilterCategories, filterTargets } from '../src/index.js';

const labelsOf = (rows: readonly (readonly number[])[]): Tensor<Uint8Array> => ({
  dims: [rows.length, rows[0]?.length ?? 0],
  data: Uint8Array.from(rows.flat()),
});

/** Maps of 1 x 2 cells, by image and channel. */
const mapsOf = (rows: readonly (readonly (readonly [number, number])[])[]): Tensor => ({
  dims: [rows.length, rows[0]?.length ?? 0, 1, 2],
  data: Float32Array.from(rows.flat(2)),
});

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof UnitscopeError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing was thrown';
}

describe('categories of filters', () => {
  it('worked by hand, after the paper', () => {
    const found = new FilterCategories(3, 3);
    expect(found.result()).toEqual(Int32Array.of(-1, -1, -1));
    // Sums of filter 0: 3 and 1 for category 0, 2.5 for 1; of filter 1: 0, 0 and 4; of filter 2 everywhere 1.
    found.add(mapsOf([[[1, 2], [0, 0], [1, 0]], [[1, 0], [0, 0], [0, 1]]]), labelsOf([[1, 0, 0], [1, 0, 0]])); // biome-ignore format: one image a line
    found.add(mapsOf([[[2.5, 0], [4, 0], [0.5, 0.5]]]), labelsOf([[0, 1, 0]])); // biome-ignore format: one image a line
    // Means 2 and 2.5; 0 and 4; 1 and 1. Category 2 has no images.
    expect(found.result()).toEqual(Int32Array.of(1, 1, 0));
  });

  it('worked by hand, after the released code', () => {
    const found = new FilterCategories(2, 2, 'released');
    expect(found.result()).toEqual(Int32Array.of(-1, -1));
    // Largest 2 and 4 of category 0, mean 3; 0.05 for filter 1, below the start. Category 1 has no images and starts at 0.1.
    found.add(mapsOf([[[2, 1], [0.05, 0]], [[1, 4], [0, 0.05]]]), labelsOf([[1, 0], [1, 0]])); // biome-ignore format: one image a line
    expect(Array.from(found.toState().averages)).toEqual([3, 0.1, 0.1, 0.1]);
    expect(found.result()).toEqual(Int32Array.of(0, 0));
    // Category 1: 0.9 * 0.1 + 0.1 * 40 and 0.9 * 0.1 + 0.1 * 1; category 0 stays.
    found.add(mapsOf([[[40, 0], [1, 0]]]), labelsOf([[0, 1]])); // biome-ignore format: one image a line
    const [a, b, c, d] = found.toState().averages;
    expect([a, c]).toEqual([3, 0.1]);
    expect(b).toBeCloseTo(4.09, 14);
    expect(d).toBeCloseTo(0.19, 14);
    expect(found.result()).toEqual(Int32Array.of(1, 1));
  });

  const problems = fc.record({
    batch: fc.integer({ min: 0, max: 12 }),
    channels: fc.integer({ min: 1, max: 4 }),
    categories: fc.integer({ min: 1, max: 4 }),
    seed: fc.integer({ min: 0, max: 10_000 }),
    cut: fc.integer({ min: 0, max: 12 }),
  });

  /** Values whose float64 sums depend on their order. */
  function problemOf({
    batch,
    channels,
    categories,
    seed,
  }: Record<'batch' | 'channels' | 'categories' | 'seed', number>) {
    const random = new Random(seed);
    const x = zeros([batch, channels, 2, 3]);
    for (let i = 0; i < x.data.length; i++) x.data[i] = random.normal() * 2 ** random.integer(-90, 90);
    const labels = {
      dims: [batch, categories],
      data: Uint8Array.from({ length: batch * categories }, () => random.integer(0, 1)),
    };
    return { x, labels };
  }

  const sliceLabels = ({ dims, data }: Tensor<Uint8Array>, from: number, to: number): Tensor<Uint8Array> => ({
    dims: [to - from, dims[1]!],
    data: data.slice(from * dims[1]!, to * dims[1]!),
  });

  it('are the same to the last bit however the images are split, ordered and merged', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { batch, channels, categories } = problem;
        const { x, labels } = problemOf(problem);
        const whole = new FilterCategories(channels, categories);
        whole.add(x, labels);
        const cut = Math.min(problem.cut, batch);
        const late = new FilterCategories(channels, categories);
        for (let image = batch - 1; image >= cut; image--) {
          late.add(sliceBatch(x, image, image + 1), sliceLabels(labels, image, image + 1));
        }
        late.merge(new FilterCategories(channels, categories));
        const early = new FilterCategories(channels, categories);
        early.add(sliceBatch(x, 0, cut), sliceLabels(labels, 0, cut));
        late.merge(FilterCategories.fromState(structuredClone(early.toState())));
        expect(late.toState()).toEqual(whole.toState());
        expect(late.result()).toEqual(whole.result());
      }),
    );
  });

  it('are those of a slow mean, where means are apart', () => {
    fc.assert(
      fc.property(problems, ({ batch, channels, categories, seed }) => {
        const random = new Random(seed);
        const x = zeros([batch, channels, 2, 2]);
        // Small whole numbers: float64 means are exact enough to tell equal ones from others.
        for (let i = 0; i < x.data.length; i++) x.data[i] = random.integer(-3, 3);
        const { labels } = problemOf({ batch, channels, categories, seed });
        const found = new FilterCategories(channels, categories);
        found.add(x, labels);
        const expected = Array.from({ length: channels }, (_, channel) => {
          let best = -1;
          let largest = Number.NEGATIVE_INFINITY;
          for (let category = 0; category < categories; category++) {
            const sums = Array.from({ length: batch }, (_, image) => image)
              .filter((image) => labels.data[image * categories + category] !== 0)
              .map((image) => {
                const start = (image * channels + channel) * 4;
                return x.data.slice(start, start + 4).reduce((sum, value) => sum + value, 0);
              });
            const mean = sums.reduce((sum, value) => sum + value, 0) / sums.length;
            if (mean > largest) [best, largest] = [category, mean];
          }
          return best;
        });
        expect(Array.from(found.result())).toEqual(expected);
      }),
    );
  });

  it.each(['paper', 'released'] as const)('of %s go on from a state as if nothing had happened', (mode) => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { batch, channels, categories } = problem;
        const { x, labels } = problemOf(problem);
        const cut = Math.min(problem.cut, batch);
        const through = new FilterCategories(channels, categories, mode);
        through.add(sliceBatch(x, 0, cut), sliceLabels(labels, 0, cut));
        const state = through.toState();
        const restored = FilterCategories.fromState(structuredClone(state));
        expect(restored.toState()).toEqual(state);
        for (const each of [through, restored]) {
          each.add(sliceBatch(x, cut, batch), sliceLabels(labels, cut, batch));
        }
        expect(restored.toState()).toEqual(through.toState());
        // A state is a copy.
        expect(FilterCategories.fromState(state).toState()).toEqual(state);
      }),
      { numRuns: 60 },
    );
  });

  it('take in nothing of a batch that is refused', () => {
    const found = new FilterCategories(1, 1);
    const x = mapsOf([[[1, 2]], [[Number.NaN, 0]]]);
    expect(codeOf(() => found.add(x, labelsOf([[1], [1]])))).toContain(
      'bad-input: the map of image 1 and channel 0 is not finite',
    );
    expect(found.toState()).toEqual(new FilterCategories(1, 1).toState());
    const released = new FilterCategories(1, 1, 'released');
    expect(codeOf(() => released.add(x, labelsOf([[1], [1]])))).toContain('bad-input');
    expect(released.result()).toEqual(Int32Array.of(-1));
  });

  const two = new FilterCategories(2, 3);
  it.each([
    ['no categories', () => new FilterCategories(2, 0), 'wrong-use: channels must be'],
    ['half a channel', () => new FilterCategories(1.5, 1), 'wrong-use: channels must be'],
    // @ts-expect-error: what a caller without types could pass
    ['an unknown mode', () => new FilterCategories(2, 3, 'papre'), 'did you mean "paper"?'],
    [
      'other channels',
      () => two.add(zeros([1, 4, 2, 2]), labelsOf([[1, 0, 0]])),
      'bad-input: x must have dims [1, 2, 2, 2]',
    ],
    ['too few axes', () => two.add(zeros([1, 2, 4]), labelsOf([[1, 0, 0]])), 'bad-input: x must have dims'],
    [
      'other labels',
      () => two.add(zeros([1, 2, 2, 2]), labelsOf([[1, 0]])),
      'bad-input: labels must have dims [1, 3]',
    ],
    ['other sizes', () => two.merge(new FilterCategories(3, 2)), 'bad-input: paper categories of 3 x 2'],
    [
      'another mode',
      () => two.merge(new FilterCategories(2, 3, 'released')),
      'bad-input: released categories of 2 x 3',
    ],
    [
      'moving averages',
      () => new FilterCategories(1, 1, 'released').merge(new FilterCategories(1, 1, 'released')),
      'unsupported: moving averages depend on the order of the batches',
    ],
    [
      'a state without sums',
      () => FilterCategories.fromState({ ...two.toState(), sums: [] }),
      'bad-input: the state of paper categories must hold 2 x 3',
    ],
    [
      'a state with words',
      () => FilterCategories.fromState({ ...two.toState(), sums: two.toState().sums.map(() => 'one') }),
      'bad-input: the state of paper categories',
    ],
  ])('refuse %s', (_, action, message) => {
    expect(codeOf(action)).toContain(message);
  });
});

describe('targets of filters', () => {
  it('are the labels of the filters’ categories', () => {
    const labels = labelsOf([[1, 0], [0, 1], [0, 0], [2, 1]]); // biome-ignore format: one image a line
    expect(filterTargets([1, -1, 0], labels)).toEqual({
      dims: [4, 3],
      data: Uint8Array.of(0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1),
    });
    expect(codeOf(() => filterTargets([2], labels))).toContain('filter 0 has category 2, the labels have 2');
    expect(codeOf(() => filterTargets([0.5], labels))).toContain('bad-input: filter 0');
  });
});

describe('weights of categories', () => {
  it('balance a category and the others', () => {
    expect(categoryWeights([0.3])).toEqual([{ positiveWeight: 1, negativeWeight: 1 }]);
    expect(categoryWeights([0.25, 0.5])).toEqual([
      { positiveWeight: 2, negativeWeight: 0.5 / 0.75 },
      { positiveWeight: 1, negativeWeight: 1 },
    ]);
    const many = categoryWeights(Array.from({ length: 20 }, () => 0.5));
    expect(many[7]).toEqual({ positiveWeight: 10, negativeWeight: 0.5 / 0.95 });
    expect(codeOf(() => categoryWeights([0.5, 0]))).toContain('the density of category 1 must be between');
  });
});
