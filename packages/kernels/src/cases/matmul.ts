import { type MatmulOptions, matmul, matmulSync } from '../matmul.js';
import { matmulReference } from '../reference/matmul.js';
import { firstBeyondRounding, type KernelCase, makeValues, type ValueKind } from './case.js';
import { placeAnywhere } from './placement.js';

interface MatmulProblem {
  readonly sizes: readonly [m: number, n: number, k: number];
  readonly values: ValueKind;
  readonly layout: Pick<MatmulOptions, 'transposeA' | 'transposeB' | 'accumulate'>;
  readonly purpose: KernelCase['purpose'];
}

const conformance = (
  sizes: MatmulProblem['sizes'],
  layout: MatmulProblem['layout'] = {},
  values: ValueKind = 'normal',
): MatmulProblem => ({ sizes, values, layout, purpose: 'conformance' });

const LAYOUTS = [false, true].flatMap((transposeA) =>
  [false, true].flatMap((transposeB) =>
    [false, true].map((accumulate) => ({ transposeA, transposeB, accumulate })),
  ),
);

const PROBLEMS: readonly MatmulProblem[] = [
  // Around the tiles of 4, 6 and 14 rows and of 8, 16 and 32 columns.
  ...[1, 3, 4, 5, 6, 7, 13, 14, 15, 29].flatMap((m) =>
    [1, 7, 8, 9, 15, 16, 17, 31, 33].map((n) => conformance([m, n, ((m * n) % 11) + 1])),
  ),
  ...LAYOUTS.flatMap((layout) =>
    (
      [
        [1, 1, 1],
        [13, 21, 34],
        [15, 33, 257],
        [70, 40, 9],
      ] as const
    ).map((sizes) => conformance(sizes, layout)),
  ),
  // Around the blocks of 256 terms.
  ...[0, 255, 256, 257, 600].map((k) => conformance([7, 18, k])),
  conformance([0, 5, 3]),
  conformance([5, 0, 3]),
  conformance([5, 3, 0], { accumulate: true }),
  conformance([14, 33, 20], {}, 'ties'),
  conformance([14, 33, 20], {}, 'zeros'),
  conformance([14, 33, 20], {}, 'nan'),
  // Cut into the shares of several threads, by rows and by columns, and into blocks of columns.
  conformance([301, 67, 80]),
  conformance([3, 2100, 40]),
  ...(
    [
      [256, 256, 256],
      [1024, 1024, 1024],
      [4096, 512, 512],
    ] as const
  ).map((sizes): MatmulProblem => ({ sizes, values: 'normal', layout: {}, purpose: 'benchmark' })),
];

function nameOf({ sizes, values, layout }: MatmulProblem): string {
  const [m, n, k] = sizes;
  const a = layout.transposeA ? `[${k},${m}]^T` : `[${m},${k}]`;
  const b = layout.transposeB ? `[${n},${k}]^T` : `[${k},${n}]`;
  return `${a} x ${b}${layout.accumulate ? ' added' : ''} ${values}`;
}

/** Roundings of a sum of k products, plus one as `firstBeyondRounding` counts, and one for those of the roundings. */
export function productTerms(k: number, others: number): number {
  return Math.min(k, 256) + Math.ceil(k / 256) + others + 2;
}

export const matmulCases: readonly KernelCase[] = PROBLEMS.map((problem) => ({
  kernel: 'matmul',
  name: nameOf(problem),
  purpose: problem.purpose,
  prepare: () => {
    const [m, n, k] = problem.sizes;
    const { transposeA = false, transposeB = false, accumulate = false } = problem.layout;
    const a = { dims: transposeA ? [k, m] : [m, k], data: makeValues(problem.values, m * k, 1) };
    const b = { dims: transposeB ? [n, k] : [k, n], data: makeValues(problem.values, k * n, 2) };
    const before = makeValues('normal', m * n, 3);
    const c = before.slice();
    // Each run starts from the same matrix, so that any number of them can be compared; timed products do not accumulate.
    const reset = () => {
      if (accumulate) c.set(before);
    };
    return {
      bytes: 4 * (a.data.length + b.data.length + c.length),
      flops: 2 * m * n * k,
      ...placeAnywhere((at) => {
        const [left, right] = [at.tensor(a), at.tensor(b)];
        const given = { ...problem.layout, into: { c: at.array(c) } };
        return {
          run: async (options) => (await matmul(left, right, { ...options, ...given })).backend,
          runSync: (options) => matmulSync(left, right, { ...options, ...given }).backend,
        };
      }, reset),
      compare: () => {
        const params = {
          ...{ m, n, k, lda: transposeA ? m : k, ldb: transposeB ? k : n, ldc: n },
          ...{
            transposeA: Number(transposeA),
            transposeB: Number(transposeB),
            accumulate: Number(accumulate),
          },
        };
        const expected = matmulReference(params, a.data, b.data, before);
        return firstBeyondRounding('c', c, expected.c, expected.magnitude, productTerms(k, 1));
      },
    };
  },
}));
