import { readFileSync } from 'node:fs';
import { Random, type Tensor, UnitscopeError } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BackendName, type LassoProblems, lasso, lassoSync } from '../src/index.js';
import { certifyLasso } from '../src/reference/lasso.js';

const backends: readonly BackendName[] = ['cpu', 'reference'];

interface Given {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly problems: LassoProblems;
}

/** Problems from plain lists: of each its members, the scale of its features and its penalty. */
function given(
  x: readonly (readonly number[])[],
  y: readonly number[],
  problems: readonly {
    readonly members: readonly number[];
    readonly scale: readonly number[];
    readonly lambda: number;
  }[],
): Given {
  const features = x[0]?.length ?? 0;
  const offsets = Int32Array.from([0, ...problems.map(({ members }) => members.length)]);
  for (let b = 1; b < offsets.length; b++) offsets[b] = offsets[b]! + offsets[b - 1]!;
  return {
    x: { dims: [x.length, features], data: Float32Array.from(x.flat()) },
    y: { dims: [y.length], data: Float32Array.from(y) },
    problems: {
      scale: {
        dims: [problems.length, features],
        data: Float32Array.from(problems.flatMap(({ scale }) => scale)),
      },
      offsets,
      member: Int32Array.from(problems.flatMap(({ members }) => members)),
      lambda: Float64Array.from(problems, ({ lambda }) => lambda),
    },
  };
}

/** The definition's view of a problem of a call. */
function certify({ x, y, problems }: Given, b: number, alpha: Float64Array, intercept: number) {
  const [rows = 0, features = 0] = x.dims;
  const count = problems.lambda.length;
  const unused = { intercept: new Float64Array(count), sweeps: new Int32Array(count) };
  const inputs = {
    rows,
    features,
    problems: count,
    members: problems.member.length,
    tolerance: 0,
    maxSweeps: 1,
    x: x.data,
    y: y.data,
    ...problems,
    scale: problems.scale.data,
    coefficients: alpha,
    ...unused,
    gap: unused.intercept,
  };
  return certifyLasso(inputs, b, alpha, intercept);
}

const sizes = fc.record({
  rows: fc.integer({ min: 2, max: 30 }),
  features: fc.integer({ min: 1, max: 14 }),
  counts: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
  lambda: fc.constantFrom(1e-3, 0.01, 0.1, 1),
  rectified: fc.boolean(),
  seed: fc.integer({ min: 0, max: 10_000 }),
});

type Sizes = typeof sizes extends fc.Arbitrary<infer T> ? T : never;

function randomGiven({ rows, features, counts, lambda, rectified, seed }: Sizes): Given {
  const random = new Random(seed);
  const value = () => (rectified ? Math.max(0, random.normal() - 0.5) : random.normal());
  const x = Array.from({ length: rows }, () => Array.from({ length: features }, value));
  const y = x.map((row) => row[0]! - 2 * row.at(-1)! + 0.5 * random.normal() + 1);
  return given(
    x,
    y,
    counts.map((count) => ({
      members: Array.from({ length: count }, () => random.integer(0, rows - 1)),
      scale: Array.from({ length: features }, () => random.normal()),
      lambda,
    })),
  );
}

describe('lassos', () => {
  it('meet their optimality conditions within what the gap allows, and have the best intercept', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        const call = randomGiven(size);
        const { coefficients, intercept, gap } = lassoSync(call.x, call.y, call.problems, {
          tolerance: 1e-10,
          maxSweeps: 100_000,
        });
        size.counts.forEach((count, b) => {
          const alpha = coefficients.data.subarray(b * size.features, (b + 1) * size.features);
          const found = certify(call, b, alpha, intercept.data[b]!);
          expect(Math.abs(found.mean)).toBeLessThanOrEqual(found.meanBound);
          expect(gap.data[b]).toBeLessThanOrEqual(1e-10);
          if (found.variation === 0) return;
          // A coordinate's optimum lowers n times the objective by what its violation says: v^2 / |f|^2 where it stays on
          // its side of 0, else more than |v alpha|; neither can be more than the gap.
          const above = (found.gap + found.gapBound) * found.variation;
          const squares = Array.from({ length: size.features }, (_, d) => {
            const column = Array.from({ length: count }, (_, i) => {
              const row = call.problems.member[call.problems.offsets[b]! + i]!;
              return call.problems.scale.data[b * size.features + d]! * call.x.data[row * size.features + d]!;
            });
            const mean = column.reduce((sum, value) => sum + value, 0) / count;
            return column.reduce((sum, value) => sum + (value - mean) ** 2, 0);
          });
          found.violations.forEach((violation, d) => {
            const bySquare = Math.sqrt(above * squares[d]!);
            const byPassing = alpha[d] === 0 ? 0 : above / Math.abs(alpha[d]!);
            const rounding = 1e-12 * (1 + squares[d]! + found.variation);
            expect(violation).toBeLessThanOrEqual(Math.max(bySquare, byPassing) + rounding);
          });
        });
      }),
      { numRuns: 150 },
    );
  });

  it('are the same bits on any number of threads, one problem at a time, and from where they ended', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 0, max: 4 }), async (size, threads) => {
        const call = randomGiven(size);
        const one = lassoSync(call.x, call.y, call.problems, { threads: 1 });
        expect(await lasso(call.x, call.y, call.problems, { threads })).toEqual(one);
        const { scale, offsets, member, lambda } = call.problems;
        size.counts.forEach((_, b) => {
          const range = [b * size.features, (b + 1) * size.features] as const;
          const alone = lassoSync(call.x, call.y, {
            scale: { dims: [1, size.features], data: scale.data.slice(...range) },
            offsets: Int32Array.of(0, offsets[b + 1]! - offsets[b]!),
            member: member.slice(offsets[b], offsets[b + 1]),
            lambda: lambda.slice(b, b + 1),
          });
          expect(alone.coefficients.data).toEqual(one.coefficients.data.slice(...range));
          expect(alone.gap.data[0]).toBe(one.gap.data[b]);
        });
        const before = one.coefficients.data.slice();
        const again = lassoSync(call.x, call.y, call.problems, { into: { coefficients: one.coefficients } });
        expect(again.coefficients.data).toBe(one.coefficients.data);
        const solved = one.gap.data.every((gap) => gap <= 1e-6);
        if (solved) expect(again.coefficients.data).toEqual(before);
        if (solved) expect(again.sweeps.data.every((count) => count === 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it.each(backends)('of one feature have the closed form, on %s', (backend) => {
    fc.assert(
      fc.property(sizes, (size) => {
        const call = randomGiven({ ...size, features: 1 });
        const { coefficients, intercept } = lassoSync(call.x, call.y, call.problems, {
          backend,
          tolerance: 0,
        });
        size.counts.forEach((count, b) => {
          const members = Array.from(call.problems.member).slice(
            call.problems.offsets[b],
            call.problems.offsets[b + 1],
          );
          const f = members.map((row) => call.problems.scale.data[b]! * call.x.data[row]!);
          const y = members.map((row) => call.y.data[row]!);
          const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / count;
          const [meanF, meanY] = [mean(f), mean(y)];
          const product = f.reduce((sum, value, i) => sum + (value - meanF) * (y[i]! - meanY), 0);
          const square = f.reduce((sum, value) => sum + (value - meanF) ** 2, 0);
          const limit = (size.lambda * count) / 2;
          const isSame = f.every((value) => value === f[0]);
          const alpha = isSame ? 0 : (Math.sign(product) * Math.max(Math.abs(product) - limit, 0)) / square;
          const scale = Math.max(1, ...f.map(Math.abs), ...y.map(Math.abs)) ** 2;
          const bound = isSame ? 0 : (1e-13 * count * scale) / square;
          expect(Math.abs(coefficients.data[b]! - alpha)).toBeLessThanOrEqual(bound);
          expect(Math.abs(intercept.data[b]! - (meanY - alpha * meanF))).toBeLessThanOrEqual(
            bound * Math.abs(meanF) + 1e-13 * scale,
          );
        });
      }),
      {
        numRuns: 100,
        // Here sweeps go to and fro by one rounding, whose direction means nothing.
        examples: [[{ rows: 13, features: 1, counts: [27, 1], lambda: 0.1, rectified: false, seed: 9417 }]],
      },
    );
  });

  it.each(backends)('are those of scikit-learn, on %s', (backend) => {
    const path = new URL('support/lasso-scikit-learn.json', import.meta.url);
    const golden: {
      x: number[][];
      y: number[];
      problems: {
        members: number[];
        scale: number[];
        lambda: number;
        coefficients: number[];
        intercept: number;
      }[];
    } = JSON.parse(readFileSync(path, 'utf8'));
    const { x, y, problems } = given(golden.x, golden.y, golden.problems);
    const { coefficients, intercept } = lassoSync(x, y, problems, {
      backend,
      tolerance: 1e-14,
      maxSweeps: 10_000,
    });
    golden.problems.forEach((expected, b) => {
      // Two gaps of 1e-14 leave 1e-7 of the fit; the problems are well conditioned.
      expected.coefficients.forEach((value, d) => {
        expect(coefficients.data[b * 6 + d]).toBeCloseTo(value, 6);
      });
      expect(intercept.data[b]).toBeCloseTo(expected.intercept, 6);
    });
  });

  it('leave features alone that do not vary, and choose between equal ones by their order', () => {
    const call = given(
      [
        [0, 3, 1, 1],
        [0, 3, 2, 2],
        [0, 3, 4, 4],
      ],
      [1, 2, 4],
      [{ members: [0, 1, 2], scale: [1, 1, 1, 1], lambda: 0.1 }],
    );
    const into = { coefficients: { dims: [1, 4], data: Float64Array.of(5, 6, 0, 0) } };
    const { coefficients, sweeps, gap } = lassoSync(call.x, call.y, call.problems, { into });
    expect(Array.from(coefficients.data.slice(0, 2))).toEqual([0, 0]);
    expect(coefficients.data[2]).toBeGreaterThan(0.9);
    // Only what rounding left over.
    expect(Math.abs(coefficients.data[3]!)).toBeLessThan(1e-15);
    expect(sweeps.data[0]).toBeLessThanOrEqual(10);
    expect(gap.data[0]).toBeLessThanOrEqual(1e-6);
  });

  it('say where they are not solved', () => {
    const call = randomGiven({
      rows: 30,
      features: 14,
      counts: [25],
      lambda: 1e-3,
      rectified: true,
      seed: 4,
    });
    const { sweeps, gap } = lassoSync(call.x, call.y, call.problems, { tolerance: 1e-12, maxSweeps: 2 });
    expect(sweeps.data[0]).toBe(2);
    expect(gap.data[0]).toBeGreaterThan(1e-12);
  });
});

describe('wrong arguments of lassos', () => {
  const call = () => given([[1], [2], [4]], [1, 2, 3], [{ members: [0, 1, 2], scale: [1], lambda: 0.1 }]);
  const spoilt = (change: Partial<LassoProblems>) => () => {
    const { x, y, problems } = call();
    for (const backend of backends)
      expect(() => lassoSync(x, y, { ...problems, ...change }, { backend })).toThrow(UnitscopeError);
    return lassoSync(x, y, { ...problems, ...change });
  };
  const withOptions = (options: { tolerance?: number; maxSweeps?: number }) => () => {
    const { x, y, problems } = call();
    return lassoSync(x, y, problems, options);
  };

  it.each([
    ['offsets that fall', spoilt({ offsets: Int32Array.of(3, 0) }), 'offsets must rise'],
    ['offsets from 1', spoilt({ offsets: Int32Array.of(1, 3) }), 'offsets must rise'],
    ['offsets that end early', spoilt({ offsets: Int32Array.of(0, 2) }), 'offsets must rise'],
    ['too many offsets', spoilt({ offsets: Int32Array.of(0, 2, 3) }), 'offsets must have 2 elements'],
    ['no member', spoilt({ offsets: Int32Array.of(0, 0), member: Int32Array.of() }), 'offsets must rise'],
    ['a member that is no row', spoilt({ member: Int32Array.of(0, 1, 3) }), 'member 2 is row 3'],
    ['a negative member', spoilt({ member: Int32Array.of(0, -1, 2) }), 'member 1 is row -1'],
    ['lambda -1', spoilt({ lambda: Float64Array.of(-1) }), 'that of problem 0 is -1'],
    ['lambda NaN', spoilt({ lambda: Float64Array.of(Number.NaN) }), 'that of problem 0 is NaN'],
    ['two lambdas', spoilt({ lambda: Float64Array.of(1, 1) }), 'lambda must have 1 elements'],
    [
      'a scale of two',
      spoilt({ scale: { dims: [1, 2], data: new Float32Array(2) } }),
      'scale must have dims',
    ],
    ['tolerance -1', withOptions({ tolerance: -1 }), 'tolerance must be at least 0'],
    ['tolerance NaN', withOptions({ tolerance: Number.NaN }), 'tolerance must be at least 0'],
    ['no sweeps', withOptions({ maxSweeps: 0 }), 'maxSweeps must be an integer from 1'],
  ])('%s', (_, action, message) => {
    expect(action).toThrow(UnitscopeError);
    expect(action).toThrow(message);
  });
});
