import type { Pool2dParams } from '../kernel-arguments.js';
import type { PoolWindow } from '../pooling.js';
import type { KernelCase, ValueKind } from './case.js';

/** One geometry and kind of values, for every kernel that pools. */
export interface PoolingProblem {
  readonly dims: readonly number[];
  readonly window: PoolWindow;
  readonly values: ValueKind;
  readonly purpose: KernelCase['purpose'];
}

function nameOf({ dims, window, values }: PoolingProblem): string {
  const { kernel, stride = 1, padding = 0, dilation = 1, ceilMode = false } = window;
  const show = (value: number | readonly number[]) =>
    typeof value === 'number' ? `${value}` : value.join('x');
  return `x=[${dims.join(',')}] k=${show(kernel)} s=${show(stride)} p=${show(padding)} d=${show(dilation)}${ceilMode ? ' ceil' : ''} ${values}`;
}

const WINDOWS: readonly PoolWindow[] = [
  { kernel: 2, stride: 2 },
  { kernel: 3, stride: 2 },
  { kernel: 3, stride: 2, padding: 1 },
  { kernel: 3, stride: 2, ceilMode: true },
  { kernel: 3, padding: 1 },
  { kernel: 3, stride: 3 },
  { kernel: 1 },
  { kernel: 1, stride: 2 },
  { kernel: 2, stride: 3, ceilMode: true },
  { kernel: [3, 2], stride: [2, 1], padding: [1, 0] },
  { kernel: [1, 4], stride: [3, 2], padding: [0, 1, 0, 3] },
  { kernel: 3, dilation: 2, padding: 2 },
  { kernel: [2, 3], stride: [3, 2], dilation: [3, 2], padding: [2, 1, 1, 2] },
  { kernel: 5, stride: 4, padding: [4, 0, 1, 2], ceilMode: true },
];

// Around the widths of vectors, where loops have their last, partial turn.
const WIDTHS = [9, 15, 16, 17, 31, 33, 35];

const AWKWARD: readonly PoolingProblem[] = [
  ...WINDOWS.flatMap((window) =>
    (['normal', 'ties', 'nan', 'negative-infinity', 'zeros'] as const).map(
      (values): PoolingProblem => ({ dims: [2, 3, 13, 11], window, values, purpose: 'conformance' }),
    ),
  ),
  ...WIDTHS.flatMap((width) =>
    WINDOWS.map(
      (window): PoolingProblem => ({ dims: [2, 7, width], window, values: 'ties', purpose: 'conformance' }),
    ),
  ),
  { dims: [0, 3, 8, 8], window: { kernel: 2, stride: 2 }, values: 'normal', purpose: 'conformance' },
  { dims: [1, 1, 1, 1], window: { kernel: 1 }, values: 'normal', purpose: 'conformance' },
  { dims: [1, 1, 1, 1], window: { kernel: 3, padding: 1 }, values: 'normal', purpose: 'conformance' },
  // One column, fewer than the stride.
  { dims: [2, 7, 1], window: { kernel: [2, 1], stride: 2 }, values: 'normal', purpose: 'conformance' },
  {
    dims: [64, 9, 1],
    window: { kernel: 3, stride: 2, padding: 1 },
    values: 'ties',
    purpose: 'conformance',
  },
  { dims: [64, 9, 2], window: { kernel: 3, stride: 3, padding: 1 }, values: 'ties', purpose: 'conformance' },
  { dims: [1, 2, 15, 17], window: { kernel: [15, 17] }, values: 'ties', purpose: 'conformance' },
  {
    dims: [1, 2, 40, 3],
    window: { kernel: [2, 3], stride: [100, 100] },
    values: 'normal',
    purpose: 'conformance',
  },
  // Large enough to be cut into several threads' shares, in the middle of a plane too.
  {
    dims: [3, 150, 201],
    window: { kernel: 3, stride: 2, padding: 1 },
    values: 'ties',
    purpose: 'conformance',
  },
  { dims: [1, 331, 257], window: { kernel: 3, padding: 1 }, values: 'nan', purpose: 'conformance' },
];

const REAL: readonly PoolingProblem[] = [
  { kernel: 2, stride: 2 },
  { kernel: 3, stride: 2 },
  { kernel: 3, stride: 2, padding: 1 },
  { kernel: 3, padding: 1 },
].flatMap((window) =>
  [1, 16].map(
    (batch): PoolingProblem => ({
      dims: [batch, 64, 112, 112],
      window,
      values: 'normal',
      purpose: 'benchmark',
    }),
  ),
);

/** The problems as cases of one kernel. */
export function poolingCases(
  kernel: KernelCase['kernel'],
  prepare: (problem: PoolingProblem) => ReturnType<KernelCase['prepare']>,
): KernelCase[] {
  return [...AWKWARD, ...REAL].map((problem) => ({
    kernel,
    name: nameOf(problem),
    purpose: problem.purpose,
    prepare: () => prepare(problem),
  }));
}

/** No cell is in more windows than this, so no sum has more terms. */
export function windowsPerCell({ kernel, stride, dilation }: Pool2dParams): number {
  // Along an axis a cell is the r-th of a window for every r with the same r * dilation modulo stride.
  const along = (axis: 0 | 1) => {
    const period = stride[axis] / greatestCommonDivisor(stride[axis], dilation[axis]);
    return Math.ceil(kernel[axis] / period);
  };
  return along(0) * along(1);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
