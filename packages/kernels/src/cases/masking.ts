import { Random, sizeOf } from '@unitscope/tensor';
import type { TemplateShape } from '../template-mask.js';
import { type KernelCase, makeValues, type ValueKind } from './case.js';

/** Maps and the shape of their masks, for every kernel that masks. */
export interface MaskProblem {
  readonly dims: readonly [...number[], number, number, number];
  readonly values: ValueKind | 'rectified' | 'negative';
  readonly shape: TemplateShape;
  readonly purpose: KernelCase['purpose'];
}

function nameOf({ dims, values, shape: { beta = 4, height = 1 } }: MaskProblem): string {
  const slope = typeof beta === 'number' ? `${beta}` : 'of each channel';
  return `x=[${dims.join(',')}] beta=${slope} height=${height} ${values}`;
}

/** The maps of a problem: as `makeValues`, or what a ReLU leaves of them, or below zero everywhere. */
export function makeMaps({ dims, values }: MaskProblem): Float32Array {
  if (values !== 'rectified' && values !== 'negative') return makeValues(values, sizeOf(dims), 1);
  const normal = makeValues('normal', sizeOf(dims), 1);
  return normal.map((value) => (values === 'rectified' ? Math.max(value, 0) : -Math.abs(value) - 0.25));
}

function slopes(channels: number): Float32Array {
  const random = new Random(3);
  return Float32Array.from({ length: channels }, () => 8 * random.uniform());
}

const KINDS = ['rectified', 'ties', 'normal', 'negative', 'zeros', 'nan'] as const;

// Maps of fewer cells than a vector has lanes, rows around the width of one and two vectors, and what networks have.
const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 13, 14, 15, 16, 17, 31, 32, 33];

const AWKWARD: readonly MaskProblem[] = [
  ...SIZES.flatMap((size) =>
    KINDS.map(
      (values): MaskProblem => ({
        dims: [2, 3, size, size],
        values,
        shape: { height: size % 2 === 0 ? 'tau' : 1 },
        purpose: 'conformance',
      }),
    ),
  ),
  ...[1, 7, 14, 33].map(
    (size): MaskProblem => ({
      dims: [3, 5, size, size],
      values: 'rectified',
      shape: { beta: slopes(5) },
      purpose: 'conformance',
    }),
  ),
  { dims: [2, 3, 6, 6], values: 'rectified', shape: { beta: 0 }, purpose: 'conformance' },
  { dims: [2, 3, 6, 6], values: 'rectified', shape: { beta: 1000 }, purpose: 'conformance' },
  { dims: [4, 9, 9], values: 'rectified', shape: {}, purpose: 'conformance' },
  { dims: [0, 3, 8, 8], values: 'normal', shape: {}, purpose: 'conformance' },
  { dims: [2, 0, 8, 8], values: 'normal', shape: {}, purpose: 'conformance' },
  // Large enough to be cut into several threads' shares, and maps that are handed on row by row.
  { dims: [3, 157, 14, 14], values: 'ties', shape: { beta: slopes(157) }, purpose: 'conformance' },
  { dims: [2, 3, 129, 129], values: 'rectified', shape: {}, purpose: 'conformance' },
];

const REAL: readonly MaskProblem[] = [
  { dims: [1, 512, 14, 14] as const, shape: {} },
  { dims: [16, 512, 14, 14] as const, shape: {} },
  { dims: [16, 512, 14, 14] as const, shape: { beta: slopes(512) } },
  { dims: [64, 512, 14, 14] as const, shape: {} },
  { dims: [16, 512, 7, 7] as const, shape: {} },
  { dims: [16, 256, 56, 56] as const, shape: {} },
].map((problem): MaskProblem => ({ ...problem, values: 'rectified', purpose: 'benchmark' }));

/** The problems as cases of one kernel, once for each of its variants. */
export function maskCases<V extends string>(
  kernel: KernelCase['kernel'],
  variants: readonly V[],
  prepare: (problem: MaskProblem, variant: V) => ReturnType<KernelCase['prepare']>,
): KernelCase[] {
  return variants.flatMap((variant) =>
    [...AWKWARD, ...REAL].map((problem) => ({
      kernel,
      name: `${nameOf(problem)} ${variant}`,
      purpose: problem.purpose,
      prepare: () => prepare(problem, variant),
    })),
  );
}

/**
 * Roundings of one cell, plus one, as `firstBeyondRounding` counts: beta times the distance, the difference, the
 * quotient, the height and the value.
 */
export const MASK_TERMS = 6;
