import { sizeOf } from '@unitscope/tensor';
import { type KernelCase, makeValues, type ValueKind } from './case.js';

/** Maps whose largest cells or moments are asked for. */
export interface LocationProblem {
  readonly dims: readonly [...number[], number, number];
  readonly values: ValueKind | 'rectified' | 'negative' | 'constant' | 'one-cell';
  readonly purpose: KernelCase['purpose'];
}

const KINDS = [
  'rectified',
  'normal',
  'ties',
  'zeros',
  'negative',
  'nan',
  'negative-infinity',
  'constant',
  'one-cell',
] as const;

// Rows and whole maps around the widths of vectors, and maps that are not square.
const SIZES = [
  [1, 1],
  [1, 7],
  [9, 1],
  [2, 3],
  [3, 5],
  [4, 4],
  [5, 8],
  [7, 9],
  [13, 13],
  [14, 14],
  [6, 15],
  [3, 16],
  [5, 17],
  [16, 31],
  [2, 33],
] as const;

const conformance = (dims: LocationProblem['dims'], values: LocationProblem['values']): LocationProblem => ({
  dims,
  values,
  purpose: 'conformance',
});

export const locationProblems: readonly LocationProblem[] = [
  ...SIZES.flatMap(([height, width]) => KINDS.map((values) => conformance([2, 3, height, width], values))),
  conformance([5, 4], 'ties'),
  conformance([0, 3, 8, 8], 'normal'),
  conformance([2, 0, 8, 8], 'normal'),
  conformance([1, 1, 130, 70], 'ties'),
  // Cut into the shares of several threads.
  conformance([3, 157, 14, 14], 'ties'),
  { dims: [16, 512, 14, 14], values: 'rectified', purpose: 'benchmark' },
  { dims: [16, 64, 112, 112], values: 'rectified', purpose: 'benchmark' },
];

/** The maps of a problem: the same ones every time. */
export function makeLocations({ dims, values }: LocationProblem): Float32Array {
  const size = sizeOf(dims);
  if (values === 'constant') return new Float32Array(size).fill(0.3);
  if (values === 'one-cell') {
    const cells = sizeOf(dims.slice(-2));
    // Another cell of each map, the last one included.
    return Float32Array.from({ length: size }, (_, i) =>
      i % cells === cells - 1 - (Math.floor(i / cells) % cells) ? 0.3 : 0,
    );
  }
  if (values !== 'rectified' && values !== 'negative') return makeValues(values, size, 4);
  const normal = makeValues('normal', size, 4);
  return normal.map((value) => (values === 'rectified' ? Math.max(value, 0) : -Math.abs(value) - 0.25));
}

export function nameOfLocations({ dims, values }: LocationProblem): string {
  return `x=[${dims.join(',')}] ${values}`;
}
