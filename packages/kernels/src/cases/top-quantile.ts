import type { BackendName } from '../backend.js';
import { type KernelCall, run, runSync } from '../call.js';
import type { AnyArray } from '../device-buffer.js';
import { topQuantileReference } from '../reference/top-quantile.js';
import { firstDifference, type KernelCase, makeValues, type ValueKind } from './case.js';
import { placeAnywhere } from './placement.js';

interface Problem {
  readonly batches: number;
  readonly images: number;
  readonly units: number;
  readonly cells: number;
  readonly keep: number;
  readonly capacity: number;
  /** Beside random ones: rising, so that every value is a candidate. */
  readonly values: Exclude<ValueKind, 'nan'> | 'rising';
  readonly purpose: KernelCase['purpose'];
}

function valuesOf({ values, images, units, cells }: Problem, batch: number): Float32Array {
  const size = images * units * cells;
  if (values === 'rising') return Float32Array.from({ length: size }, (_, i) => batch * size + i);
  return makeValues(values, size, batch + 1);
}

/** Keeps `keep` of the largest through all batches; what the buffers then hold must be what a full sort gives. */
function caseOf(problem: Problem): KernelCase {
  const { batches, images, units, cells, keep, capacity, values, purpose } = problem;
  return {
    kernel: 'topQuantile',
    name: `${batches} x [${images}, ${units}, ${cells}] keep ${keep} of ${capacity} ${values}`,
    purpose,
    prepare: () => {
      const all = Array.from({ length: batches }, (_, batch) => valuesOf(problem, batch));
      const state = () => ({
        kept: new Float32Array(units * capacity),
        filled: new Int32Array(units),
        cutoff: new Float32Array(units).fill(Number.NEGATIVE_INFINITY),
      });
      const sizes = { images, units, cells, keep, capacity };
      const actual = state();
      const callOf = (values: AnyArray): KernelCall<'topQuantile'> => ({
        kernel: 'topQuantile',
        arguments: { ...sizes, values, ...actual },
        runReference: topQuantileReference,
      });
      const start = () => {
        actual.filled.fill(0);
        actual.cutoff.fill(Number.NEGATIVE_INFINITY);
      };
      return {
        bytes: all.reduce((sum, batch) => sum + batch.byteLength, 0),
        ...placeAnywhere((at) => {
          // The selection itself stays on the host, where the addon looks at it.
          const placed = all.map(at.array);
          return {
            run: async (options) => {
              start();
              let backend: BackendName = 'reference';
              for (const batch of placed) backend = await run(callOf(batch), options);
              return backend;
            },
            runSync: (options) => {
              start();
              let backend: BackendName = 'reference';
              for (const batch of placed) backend = runSync(callOf(batch), options);
              return backend;
            },
          };
        }),
        compare: () => {
          const expected = state();
          for (const values of all) topQuantileReference({ ...sizes, values, ...expected });
          for (let unit = 0; unit < units; unit++) {
            const largest = (of: ReturnType<typeof state>) => {
              const from = of.kept.slice(unit * capacity, unit * capacity + of.filled[unit]!);
              const top = from.sort().reverse().subarray(0, keep);
              // Values that are not in the buffer are -infinity where the buffer is shorter.
              return Float32Array.from({ length: keep }, (_, r) => top[r] ?? Number.NEGATIVE_INFINITY);
            };
            const difference = firstDifference(`largest of unit ${unit}`, largest(actual), largest(expected));
            if (difference !== undefined) return difference;
          }
          return undefined;
        },
      };
    },
  };
}

const KINDS = ['normal', 'ties', 'negative-infinity', 'zeros', 'rising'] as const;

export const topQuantileCases: readonly KernelCase[] = [
  ...KINDS.flatMap((values) =>
    [
      { batches: 1, images: 1, units: 1, cells: 1, keep: 1, capacity: 2 },
      { batches: 3, images: 2, units: 3, cells: 13 * 13, keep: 7, capacity: 8 },
      { batches: 4, images: 3, units: 5, cells: 61, keep: 100, capacity: 200 },
      { batches: 2, images: 1, units: 2, cells: 40000, keep: 300, capacity: 600 },
      { batches: 2, images: 2, units: 3, cells: 17, keep: 500, capacity: 501 },
    ].map((sizes) => caseOf({ ...sizes, values, purpose: 'conformance' })),
  ),
  caseOf({
    batches: 1,
    images: 0,
    units: 3,
    cells: 4,
    keep: 1,
    capacity: 2,
    values: 'normal',
    purpose: 'conformance',
  }),
  ...[169, 4096].map((cells) =>
    caseOf({
      batches: 1,
      images: Math.round(65536 / cells),
      units: 256,
      cells,
      keep: 330,
      capacity: 1354,
      values: 'normal',
      purpose: 'benchmark',
    }),
  ),
];
