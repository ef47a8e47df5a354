import { cosineSimilarity, cosineSimilaritySync } from '../cosine-similarity.js';
import { cosineSimilarityReference } from '../reference/cosine-similarity.js';
import { firstBeyondRounding, type KernelCase, makeValues, unwritten, type ValueKind } from './case.js';
import { productTerms } from './matmul.js';
import { placeAnywhere } from './placement.js';

interface CosineProblem {
  readonly sizes: readonly [m: number, n: number, k: number];
  readonly values: ValueKind;
  readonly scale: number;
  readonly purpose: KernelCase['purpose'];
}

const conformance = (
  sizes: CosineProblem['sizes'],
  values: ValueKind = 'normal',
  scale = 1,
): CosineProblem => ({ sizes, values, scale, purpose: 'conformance' });

const PROBLEMS: readonly CosineProblem[] = [
  ...[1, 5, 6, 7, 15].flatMap((m) =>
    [1, 8, 17, 33].flatMap((n) => [1, 2, 9, 31].map((k) => conformance([m, n, k]))),
  ),
  ...[0, 255, 256, 257, 600].map((k) => conformance([7, 18, k])),
  ...(['ties', 'zeros', 'nan'] as const).map((values) => conformance([20, 19, 5], values)),
  // Squares that overflow in float32, and squares that vanish.
  conformance([9, 18, 40], 'normal', 1e37),
  conformance([9, 18, 40], 'normal', 1e-30),
  conformance([0, 5, 3]),
  conformance([5, 0, 3]),
  conformance([301, 67, 80]),
  { sizes: [2048, 2048, 512], values: 'normal', scale: 1, purpose: 'benchmark' },
];

export const cosineSimilarityCases: readonly KernelCase[] = PROBLEMS.map((problem) => ({
  kernel: 'cosineSimilarity',
  name: `[${problem.sizes[0]},${problem.sizes[2]}] with [${problem.sizes[1]},${problem.sizes[2]}] ${problem.values}${
    problem.scale === 1 ? '' : ` times ${problem.scale}`
  }`,
  purpose: problem.purpose,
  prepare: () => {
    const [m, n, k] = problem.sizes;
    const make = (rows: number, seed: number) => ({
      dims: [rows, k],
      // Every fourth row is zeros.
      data: makeValues(problem.values, rows * k, seed).map((value, i) =>
        Math.floor(i / k) % 4 === 2 ? 0 : value * problem.scale,
      ),
    });
    const a = make(m, 1);
    const b = make(n, 2);
    const c = unwritten.floats(m * n);
    return {
      bytes: 4 * (a.data.length + b.data.length + c.length),
      flops: 2 * m * n * k,
      ...placeAnywhere((at) => {
        const [rows, others] = [at.tensor(a), at.tensor(b)];
        const into = { c: at.array(c) };
        return {
          run: async (options) => (await cosineSimilarity(rows, others, { ...options, into })).backend,
          runSync: (options) => cosineSimilaritySync(rows, others, { ...options, into }).backend,
        };
      }),
      compare: () => {
        const expected = cosineSimilarityReference({ m, n, k }, a.data, b.data);
        return firstBeyondRounding('c', c, expected.c, expected.magnitude, productTerms(k, 4));
      },
    };
  },
}));
