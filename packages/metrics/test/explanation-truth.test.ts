import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeState,
  ExplanationTruth,
  encodeState,
  massInParts,
  pointingGame,
  type Relevance,
  relevanceOf,
  spearman,
  strongestPixel,
  type TruthRow,
} from '../src/index.js';

const mapOf = (dims: readonly number[], values: readonly number[]): Tensor => ({
  dims,
  data: Float32Array.from(values),
});
const labelsOf = (dims: readonly number[], values: readonly number[]): Tensor<Int32Array> => ({
  dims,
  data: Int32Array.from(values),
});

describe('the relevance of a map', () => {
  const twoChannels = mapOf([2, 1, 3], [1, -4, 2, -3, 1, 2]);

  it.each([
    [{}, [3, 4, 2]],
    [{ channels: 'largest', negative: 'absolute' }, [3, 4, 2]],
    [{ channels: 'sum' }, [-2, -3, 4]],
    [{ channels: 'sum', negative: 'absolute' }, [2, 3, 4]],
  ] as const)('under %j', (options, expected) => {
    expect([...relevanceOf(twoChannels, options).values]).toEqual(expected);
  });

  it('keeps a plane as it is', () => {
    expect([...relevanceOf(mapOf([2, 2], [1, -1, 0, 2])).values]).toEqual([1, -1, 0, 2]);
    expect([...relevanceOf(mapOf([1, 1, 1, 2], [-1, 1])).values]).toEqual([1, 1]);
  });

  it('is refused for other dims and values', () => {
    expect(() => relevanceOf(mapOf([2, 1, 1, 1], [1, 2]))).toThrow('not [2, 1, 1, 1]');
    expect(() => relevanceOf(mapOf([0, 2], []))).toThrow('a map of one picture');
    expect(() => relevanceOf(mapOf([1, 2], [0, Number.NaN]))).toThrow('NaN at element 1');
  });
});

describe('mass in parts', () => {
  // Parts 5 and 7; the pixel at the top right is in both, by two layers; 9 is no part.
  const labels = labelsOf([2, 2, 3], [5, 0, 7, 9, 5, 0, 5, 0, 5, 0, 0, 0]);
  const relevance = relevanceOf(mapOf([2, 3], [1, 2, 3, -8, 4, 0]));

  it('has the numbers worked by hand', () => {
    // The mass is 1 + 2 + 3 + 4 = 10, of which part 5 has 1 + 3 + 4 on 3 pixels, 7 has 3 on 1, both together 8 on 3.
    expect(massInParts(relevance, labels, [7, 5, 8])).toEqual({
      mass: 8,
      area: 3,
      share: 0.8,
      concentration: (0.8 * 6) / 3,
      parts: [
        { part: 7, mass: 3, area: 1, share: 0.3, concentration: 0.3 * 6 },
        { part: 5, mass: 8, area: 3, share: 0.8, concentration: (0.8 * 6) / 3 },
        { part: 8, mass: 0, area: 0, share: 0, concentration: Number.NaN },
      ],
    });
  });

  it('has no share of a map without mass', () => {
    expect(massInParts(relevanceOf(mapOf([2, 3], [0, 0, 0, -1, 0, 0])), labels, [5]).share).toBeNaN();
  });

  const size = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }));
  const setting = size.chain(([height, width]) =>
    fc.record({
      dims: fc.constant([height, width]),
      // Powers of two and whole numbers, so that scaling and sums are exact.
      values: fc.array(fc.integer({ min: -8, max: 8 }), {
        minLength: height * width,
        maxLength: height * width,
      }),
      labels: fc.array(fc.integer({ min: 0, max: 3 }), {
        minLength: height * width,
        maxLength: height * width,
      }),
    }),
  );

  it('does not depend on the scale of the map, nor on what is negative', () => {
    fc.assert(
      fc.property(setting, fc.integer({ min: -20, max: 20 }), ({ dims, values, labels: own }, exponent) => {
        const given = labelsOf([1, ...dims], own);
        const judge = (change: (value: number) => number) =>
          massInParts(relevanceOf(mapOf(dims, values.map(change))), given, [1, 2]);
        const shares = ({ share, concentration, parts }: ReturnType<typeof judge>) => [
          share,
          concentration,
          ...parts.flatMap((part) => [part.share, part.concentration]),
        ];
        const plain = shares(judge((value) => value));
        expect(shares(judge((value) => value * 2 ** exponent))).toEqual(plain);
        expect(shares(judge((value) => (value < 0 ? 5 * value : value)))).toEqual(plain);
      }),
    );
  });

  it('of disjoint parts adds up to that of their union, and a uniform map is concentrated nowhere', () => {
    fc.assert(
      fc.property(setting, ({ dims, values, labels: own }) => {
        const given = labelsOf([1, ...dims], own);
        const { mass, area, parts } = massInParts(relevanceOf(mapOf(dims, values)), given, [1, 2, 3]);
        expect(parts.reduce((sum, part) => sum + part.mass, 0)).toBe(mass);
        expect(parts.reduce((sum, part) => sum + part.area, 0)).toBe(area);
        const uniform = massInParts(
          relevanceOf(
            mapOf(
              dims,
              values.map(() => 3),
            ),
          ),
          given,
          [1, 2, 3],
        );
        // (A / P) P / A: two rounded operations after the exact quotient's.
        for (const { concentration } of [uniform, ...uniform.parts])
          if (!Number.isNaN(concentration))
            expect(Math.abs(concentration - 1)).toBeLessThanOrEqual(3 * 2 ** -53);
      }),
    );
  });

  it('is refused for labels of another size and a part that is given twice', () => {
    expect(() => massInParts(relevance, labelsOf([1, 3, 2], [0, 0, 0, 0, 0, 0]), [5])).toThrow(
      'labels must be',
    );
    expect(() => massInParts(relevance, labels, [5, 5])).toThrow('given twice');
    expect(() => massInParts(relevance, labels, [0])).toThrow('no index of a part');
  });
});

describe('rank correlation', () => {
  /** Pearson's of ranks counted one by one: those below, and half of those that are equal. */
  function slowSpearman(a: readonly number[], b: readonly number[]): number {
    const ranks = (values: readonly number[]) =>
      values.map(
        (value) =>
          values.filter((other) => other < value).length +
          (values.filter((other) => other === value).length + 1) / 2,
      );
    const centred = (values: readonly number[]) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return values.map((value) => value - mean);
    };
    const [x, y] = [centred(ranks(a)), centred(ranks(b))];
    const dot = (u: readonly number[], v: readonly number[]) =>
      u.reduce((sum, value, i) => sum + value * v[i]!, 0);
    return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
  }

  it('has the numbers worked by hand', () => {
    // Ranks 1 2 3 4 5 and 2 1 4 3 5: 1 - 6 (1 + 1 + 1 + 1) / (5 (25 - 1)) = 0.8.
    expect(spearman([10, 20, 30, 40, 50], [2, 1, 4, 3, 5])).toBe(0.8);
    // Ranks 1.5 1.5 3 and 1 2 3: 1.5 / sqrt(1.5 * 2) = sqrt(3) / 2.
    expect(spearman([0, 0, 7], [1, 2, 3])).toBeCloseTo(Math.sqrt(3) / 2, 15);
    expect(spearman([1, 2, 2, 3], [-1, 5, 5, 1e9])).toBe(1);
    expect(spearman([1, 2, 2, 3], [1e9, 5, 5, -1])).toBe(-1);
  });

  it('is none for constants and for fewer than two pairs', () => {
    for (const [a, b] of [
      [[], []],
      [[1], [2]],
      [
        [1, 1],
        [1, 2],
      ],
      [
        [1, 1],
        [2, 2],
      ],
    ] as const)
      expect(spearman(a, b)).toBeNaN();
  });

  it("is Pearson's correlation of the ranks", () => {
    const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 })), {
      minLength: 2,
      maxLength: 30,
    });
    fc.assert(
      fc.property(pairs, (given) => {
        const [a, b] = [given.map(([x]) => x), given.map(([, y]) => y)];
        const slow = slowSpearman(a, b);
        const fast = spearman(a, b);
        if (Number.isNaN(slow)) expect(fast).toBeNaN();
        // The slow sums have 30 terms, each rounded a few times, and the result is at most 1.
        else expect(Math.abs(fast - slow)).toBeLessThan(128 * 2 ** -53);
        expect(spearman(b, a)).toBe(fast);
      }),
    );
  });

  it('is refused for lists of different lengths and NaN', () => {
    expect(() => spearman([1], [1, 2])).toThrow('1 values cannot be paired with 2');
    expect(() => spearman([1, Number.NaN], [1, 2])).toThrow('NaN has no rank');
  });
});

describe('the pointing game', () => {
  const peakAt = (height: number, width: number, peaks: readonly number[]): Relevance => {
    const values = new Float64Array(height * width);
    for (const peak of peaks) values[peak] = 1;
    return { height, width, values };
  };
  const maskAt = (height: number, width: number, pixel: number): Tensor<Uint8Array> => {
    const data = new Uint8Array(height * width);
    data[pixel] = 1;
    return { dims: [height, width], data };
  };

  it('takes the first of equal peaks', () => {
    expect(strongestPixel(peakAt(3, 4, [6, 9]))).toEqual([1, 2]);
    expect(strongestPixel(peakAt(3, 4, []))).toEqual([0, 0]);
  });

  it('counts a peak at the tolerance and none beyond', () => {
    // The object is at (3, 4), the peak at (0, 0): 5 pixels apart.
    const [relevance, mask] = [peakAt(5, 6, [0]), maskAt(5, 6, 22)];
    expect(pointingGame(relevance, mask, 5)).toBe(true);
    expect(pointingGame(relevance, mask, 4.99)).toBe(false);
    expect(pointingGame(peakAt(5, 6, [22]), mask, 0)).toBe(true);
    expect(pointingGame(peakAt(5, 6, [21]), mask, 0)).toBe(false);
    expect(pointingGame(relevance, mask)).toBe(true);
  });

  it('is a hit exactly when some pixel of the object is near enough', () => {
    const place = fc.integer({ min: 0, max: 8 * 9 - 1 });
    fc.assert(
      fc.property(place, place, fc.double({ min: 0, max: 12, noNaN: true }), (peak, object, tolerance) => {
        const distance = Math.hypot(Math.floor(peak / 9) - Math.floor(object / 9), (peak % 9) - (object % 9));
        // A root that is a whole number is exact, and no other tolerance can be one of these roots by chance.
        expect(pointingGame(peakAt(8, 9, [peak]), maskAt(8, 9, object), tolerance)).toBe(
          distance <= tolerance,
        );
      }),
    );
  });

  it('is refused for a mask of another size and a tolerance below 0', () => {
    expect(() => pointingGame(peakAt(2, 2, []), maskAt(1, 4, 0))).toThrow('the mask must be [2, 2]');
    expect(() => pointingGame(peakAt(2, 2, []), maskAt(2, 2, 0), -1)).toThrow('tolerance must be');
  });
});

describe('truth over a data set', () => {
  const options = { methods: ['gradient', 'deconvnet'], measures: ['mass', 'pointing'] };

  it('has the means worked by hand', async () => {
    const truth = new ExplanationTruth(options);
    await truth.add([
      { method: 'gradient', picture: 4, values: [1, 1] },
      { method: 'gradient', picture: 2, values: [4, Number.NaN] },
      { method: 'gradient', picture: 9, values: [4, 0] },
    ]);
    const [gradient, deconvnet] = truth.result();
    // Deviations -2, 1, 1: the variance is 6 / 2, the standard error sqrt(3 / 3).
    expect(gradient!.measures).toEqual([
      { measure: 'mass', mean: 3, standardError: 1, pictures: 3 },
      { measure: 'pointing', mean: 0.5, standardError: 0.5, pictures: 2 },
    ]);
    expect(gradient!.rows.map(({ picture }) => picture)).toEqual([2, 4, 9]);
    expect(deconvnet).toMatchObject({ pictures: 0, measures: [{ mean: Number.NaN }, { pictures: 0 }] });
  });

  it('is the same for every order, split and restored state', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1000 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 4 }),
        async (seed, pictures, shards) => {
          const random = new Random(seed);
          const rows = Array.from({ length: pictures }, (_, picture) =>
            options.methods.map((method): TruthRow => {
              const values = [random.normal(), random.uniform() < 0.2 ? Number.NaN : random.normal()];
              return { method, picture, values };
            }),
          ).flat();
          const whole = new ExplanationTruth(options);
          await whole.add(rows);
          const home = rows.map(() => random.integer(0, shards - 1));
          const merged = new ExplanationTruth(options);
          for (let shard = shards - 1; shard >= 0; shard--) {
            const own = new ExplanationTruth(options);
            for (const row of rows.filter((_, i) => home[i] === shard).reverse()) await own.add([row]);
            merged.merge(ExplanationTruth.fromState(decodeState(encodeState(own.toState()), 'state')));
          }
          expect(merged.result()).toEqual(whole.result());
          expect(merged.toState()).toEqual(whole.toState());
        },
      ),
      { numRuns: 30 },
    );
  });

  it('refuses what does not belong to it, and is as it was', async () => {
    const truth = new ExplanationTruth(options);
    const row: TruthRow = { method: 'gradient', picture: 1, values: [1, 2] };
    await truth.add([row]);
    const before = truth.toState();
    const refused = async (rows: readonly TruthRow[], message: string) =>
      expect(async () => truth.add(rows)).rejects.toThrow(message);
    await refused([{ ...row, picture: 2 }, row], 'gradient has been judged on picture 1 already');
    await refused(
      [
        { ...row, picture: 3 },
        { ...row, picture: 3 },
      ],
      'judged on picture 3 already',
    );
    await refused([{ ...row, method: 'gradeint' }], 'did you mean "gradient"?');
    await refused([{ ...row, picture: 2, values: [1] }], '1 values were given for 2 measures');
    await refused(
      [{ ...row, picture: 2, values: [1, Number.POSITIVE_INFINITY] }],
      'pointing of gradient is Infinity',
    );
    expect(truth.toState()).toEqual(before);
    expect(() => truth.merge(truth)).toThrow('judged on picture 1 already');
    expect(() => truth.merge(new ExplanationTruth({ ...options, measures: ['mass'] }))).toThrow(
      'same methods',
    );
    expect(() => new ExplanationTruth({ methods: [], measures: ['mass'] })).toThrow('methods must be named');
    expect(() => new ExplanationTruth({ methods: ['a', 'a'], measures: ['mass'] })).toThrow('each once');
  });
});
