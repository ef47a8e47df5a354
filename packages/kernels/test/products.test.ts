import { type Tensor, zeros } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../src/addon.js';
import { firstBeyondRounding, makeValues } from '../src/cases/case.js';
import { productTerms } from '../src/cases/matmul.js';
import { cosineSimilarity, cosineSimilaritySync, matmul, matmulSync } from '../src/index.js';
import { cosineSimilarityReference } from '../src/reference/cosine-similarity.js';
import { matmulReference } from '../src/reference/matmul.js';
import { errorOf } from './support/errors.js';

const EPSILON = 2 ** -24;

function matrix(rows: number, columns: number, seed: number): Tensor {
  return { dims: [rows, columns], data: makeValues('normal', rows * columns, seed) };
}

function transposed({ dims: [rows = 0, columns = 0], data }: Tensor): Tensor {
  const at = (i: number) => data[(i % rows) * columns + Math.floor(i / rows)]!;
  return { dims: [columns, rows], data: data.map((_, i) => at(i)) };
}

const products = fc.record({
  m: fc.integer({ min: 0, max: 40 }),
  n: fc.integer({ min: 0, max: 70 }),
  k: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 250, max: 530 })),
  threads: fc.integer({ min: 0, max: 5 }),
  seed: fc.integer({ min: 0, max: 1000 }),
});

describe('the product of matrices', () => {
  it('is the one by hand', async () => {
    const a = { dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const b = { dims: [3, 2], data: Float32Array.of(7, 8, 9, 10, 11, 12) };
    const { c, backend } = await matmul(a, b);
    expect(c).toEqual({ dims: [2, 2], data: Float32Array.of(58, 64, 139, 154) });
    expect(backend).toBe('cpu');
    const into = { c: Float32Array.of(1, 1, 1, 1) };
    expect(matmulSync(a, b, { into, accumulate: true }).c.data).toBe(into.c);
    expect([...into.c]).toEqual([59, 65, 140, 155]);
    expect(matmulSync(a, b, { backend: 'reference' }).c.data).toEqual(c.data);
  });

  it('is within rounding of the definition, however the matrices lie', () => {
    const layouts = fc.record({
      transposeA: fc.boolean(),
      transposeB: fc.boolean(),
      accumulate: fc.boolean(),
      /** Elements between the rows of a, b and c. */
      gaps: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)),
    });
    fc.assert(
      fc.property(products, layouts, ({ m, n, k, threads, seed }, layout) => {
        const { transposeA, transposeB, accumulate, gaps } = layout;
        const [rowsOfA, columnsOfA] = transposeA ? [k, m] : [m, k];
        const [rowsOfB, columnsOfB] = transposeB ? [n, k] : [k, n];
        const params = {
          ...{
            m,
            n,
            k,
            lda: columnsOfA + gaps[0] || 1,
            ldb: columnsOfB + gaps[1] || 1,
            ldc: n + gaps[2] || 1,
          },
          ...{
            transposeA: Number(transposeA),
            transposeB: Number(transposeB),
            accumulate: Number(accumulate),
          },
        };
        const make = (rows: number, columns: number, stride: number, from: number) =>
          makeValues('normal', rows === 0 || columns === 0 ? 0 : (rows - 1) * stride + columns, from);
        const a = make(rowsOfA, columnsOfA, params.lda, seed);
        const b = make(rowsOfB, columnsOfB, params.ldb, seed + 1);
        const before = make(m, n, params.ldc, seed + 2);
        const c = before.slice();
        loadAddon().now.matmul({ backend: 0, threads, ...params, a, b, c });
        const expected = matmulReference(params, a, b, before);
        // Between the rows of c nothing is summed, so there the values must be those of before.
        expect(
          firstBeyondRounding('c', c, expected.c, expected.magnitude, productTerms(k, 1)),
        ).toBeUndefined();
      }),
      { numRuns: 150 },
    );
  });

  it('has the same bits with any number of threads and from transposed matrices', () => {
    fc.assert(
      fc.property(products, ({ m, n, k, threads, seed }) => {
        const [a, b] = [matrix(m, k, seed), matrix(k, n, seed + 1)];
        const { c } = matmulSync(a, b, { threads: 1 });
        expect(matmulSync(a, b, { threads }).c).toEqual(c);
        const flipped = { transposeA: true, transposeB: true, threads };
        expect(matmulSync(transposed(a), transposed(b), flipped).c).toEqual(c);
        expect(transposed(matmulSync(b, a, { ...flipped }).c)).toEqual(c);
      }),
      { numRuns: 100 },
    );
  });

  it('with the unit matrix is the matrix', () => {
    const a = matrix(37, 300, 4);
    const unit = zeros([300, 300]);
    for (let i = 0; i < 300; i++) unit.data[i * 301] = 1;
    expect(matmulSync(a, unit).c).toEqual(a);
  });

  it('never reads what it overwrites, and hides no NaN behind a zero', () => {
    const into = { c: new Float32Array(4).fill(Number.NaN) };
    expect([...matmulSync(zeros([2, 2]), zeros([2, 2]), { into }).c.data]).toEqual([0, 0, 0, 0]);
    const b = { dims: [1, 2], data: Float32Array.of(Number.POSITIVE_INFINITY, 1) };
    expect([...matmulSync(zeros([1, 1]), b).c.data]).toEqual([Number.NaN, 0]);
  });
});

describe('the cosine of rows', () => {
  it('is the one by hand, and 0 with a row of zeros', async () => {
    const a = { dims: [3, 2], data: Float32Array.of(3, 4, 0, 0, -5, 0) };
    const { c, backend } = await cosineSimilarity(a, a);
    expect(backend).toBe('cpu');
    expect(c.dims).toEqual([3, 3]);
    const expected = [1, 0, -0.6, 0, 0, 0, -0.6, 0, 1];
    expected.forEach((value, i) => {
      expect(Math.abs(c.data[i]! - value)).toBeLessThanOrEqual(8 * EPSILON);
    });
    expect(c.data[1]).toBe(0);
    expect([...cosineSimilaritySync(a, a, { backend: 'reference' }).c.data]).toEqual(
      expected.map(Math.fround),
    );
  });

  it('is within rounding of the definition, whatever the lengths of the rows', () => {
    fc.assert(
      fc.property(products, fc.integer({ min: -30, max: 36 }), ({ m, n, k, threads, seed }, power) => {
        const a = matrix(m, k, seed);
        const b = matrix(n, k, seed + 1);
        a.data.forEach((value, i) => {
          a.data[i] = value * 10 ** power;
        });
        const into = { c: new Float32Array(m * n) };
        const { c } = cosineSimilaritySync(a, b, { threads, into });
        expect(c.data).toBe(into.c);
        const expected = cosineSimilarityReference({ m, n, k }, a.data, b.data);
        expect(
          firstBeyondRounding('c', c.data, expected.c, expected.magnitude, productTerms(k, 4)),
        ).toBeUndefined();
        expect(cosineSimilaritySync(a, b, { threads: 1 }).c).toEqual(c);
      }),
      { numRuns: 100 },
    );
  });

  it.each(['cpu', 'reference'] as const)('is NaN with a row that is not finite, on %s', (backend) => {
    const { NaN: notNumber, POSITIVE_INFINITY: infinity } = Number;
    const a = { dims: [3, 2], data: Float32Array.of(notNumber, 1, infinity, 0, 0, 0) };
    const { c } = cosineSimilaritySync(a, { dims: [1, 2], data: Float32Array.of(0, 0) }, { backend });
    expect([...c.data]).toEqual([notNumber, notNumber, 0]);
  });
});

describe('wrong arguments', () => {
  const a = zeros([2, 3]);
  const square = zeros([2, 2]);
  it.each([
    ['a tensor that is no matrix', () => matmulSync(zeros([2, 3, 4]), a), 'bad-input', 'a must be a matrix'],
    ['inner sizes that differ', () => matmulSync(a, a), 'bad-input', 'inner sizes must agree'],
    ['a transposed one', () => matmulSync(a, square), 'bad-input', 'a 2 x 3 matrix cannot'],
    [
      'data that is too short',
      () => matmulSync({ dims: [2, 2], data: new Float32Array(3) }, a),
      'bad-input',
      '3 elements',
    ],
    ['nothing to add to', () => matmulSync(square, a, { accumulate: true }), 'wrong-use', 'needs into.c'],
    [
      'a short result',
      () => matmulSync(square, a, { into: { c: new Float32Array(4) } }),
      'bad-input',
      'c to write to must have 6',
    ],
    [
      'a product in place',
      () => matmulSync(square, a, { into: { c: a.data } }),
      'wrong-use',
      'b and c overlap',
    ],
    ['rows of unlike lengths', () => cosineSimilaritySync(a, square), 'bad-input', 'as many columns'],
    ['a vector for a matrix', () => cosineSimilaritySync(a, zeros([3])), 'bad-input', 'b must be a matrix'],
    [
      'cosines in place',
      () => cosineSimilaritySync(square, square, { into: { c: square.data } }),
      'wrong-use',
      'a and c overlap',
    ],
  ] as const)('%s', (_, action, code, message) => {
    const error = errorOf(action);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  it('are refused by the addon itself', () => {
    const { matmul: kernel } = loadAddon().now;
    const good = {
      ...{ backend: 0, threads: 1, m: 1, n: 1, k: 2, lda: 2, ldb: 1, ldc: 1 },
      ...{ transposeA: 0, transposeB: 0, accumulate: 0 },
      ...{ a: new Float32Array(2), b: new Float32Array(2), c: new Float32Array(1) },
    };
    expect(() => kernel(good)).not.toThrow();
    expect(() => kernel({ ...good, lda: 1 })).toThrow('lda must be at least the length of a row, 2');
    expect(() => kernel({ ...good, ldb: 0 })).toThrow('ldb must be an integer from 1');
    expect(() => kernel({ ...good, accumulate: 2 })).toThrow('accumulate must be an integer from 0 to 1');
    expect(() => kernel({ ...good, m: -1 })).toThrow('m must be an integer from 0');
    expect(() => kernel({ ...good, m: 2 ** 40, lda: 2 ** 40 })).toThrow('more elements than can be counted');
    expect(() => kernel({ ...good, b: new Float32Array(3) })).toThrow('b must have 2 elements');
  });
});
