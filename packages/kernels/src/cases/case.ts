import { Random } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from '../backend.js';
import type { DeviceName } from '../device-buffer.js';
import type { KernelName } from '../kernel-arguments.js';

/**
 * One problem for one kernel. The same object is a correctness test, a row of the support table and a benchmark, so
 * that what is timed is what was checked.
 */
export interface KernelCase {
  readonly kernel: KernelName;
  readonly name: string;
  /** `conformance`: small and awkward. `benchmark`: of the size of real networks. */
  readonly purpose: 'conformance' | 'benchmark';
  /** Makes inputs and outputs; the same ones every time. */
  readonly prepare: () => PreparedCase;
}

export interface PreparedCase {
  /** Bytes that must move: inputs read once, outputs written once. */
  readonly bytes: number;
  /** Floating-point operations of the definition, for kernels that compute more than they move. */
  readonly flops?: number;
  /** Runs the kernel into the case's own outputs. */
  readonly run: (options: KernelOptions) => Promise<BackendName>;
  readonly runSync: (options: KernelOptions) => BackendName;
  /**
   * The case with its arrays in a back end's memory, so that what is timed is the kernel without copies. Throws `backend`
   * where the back end does not work or has no room. What the kernel takes as typed arrays only, such as the selection of
   * `topQuantile`, stays on the host.
   */
  readonly resident: (backend: DeviceName) => Promise<ResidentCase>;
  /** Compares what the last run wrote with the reference: the first difference in words, or undefined. */
  readonly compare: () => string | undefined;
}

/** Copies of a case's arrays in a back end's memory. Unlike those on the host, sums go on from run to run. */
export interface ResidentCase extends Pick<PreparedCase, 'run' | 'runSync'> {
  /** Copies everything back into the case's own arrays, where `compare` looks. */
  readonly collect: () => Promise<void>;
  /** Frees the memory; no run must be under way. */
  readonly free: () => void;
}

/** Arrays for results, filled with what no kernel gives here, so that a place left out is found. */
export const unwritten = {
  floats: (size: number) => new Float32Array(size).fill(-12345.5),
  bytes: (size: number) => new Uint8Array(size).fill(255),
};

/** Unit roundoff of float32. */
const EPSILON = 2 ** -24;

/** The first place where the arrays differ at all; NaN equals NaN. */
export function firstDifference(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): string | undefined {
  for (let i = 0; i < expected.length; i++) {
    const same = actual[i] === expected[i] || (Number.isNaN(actual[i]) && Number.isNaN(expected[i]));
    if (!same) return `${name}[${i}] is ${actual[i]}, the reference says ${expected[i]}`;
  }
  return actual.length === expected.length ? undefined : `${name} has ${actual.length} elements`;
}

/**
 * The first place where a float32 sum is further from the exact one than rounding explains:
 * |actual - expected| <= (terms - 1) epsilon sum|terms|, which is 0 for a single term.
 */
export function firstBeyondRounding(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  magnitude: ArrayLike<number>,
  terms: number,
): string | undefined {
  for (let i = 0; i < expected.length; i++) {
    if (Number.isNaN(actual[i]) && Number.isNaN(expected[i])) continue;
    const bound = (terms - 1) * EPSILON * magnitude[i]!;
    if (!(Math.abs(actual[i]! - expected[i]!) <= bound)) {
      return `${name}[${i}] is ${actual[i]}, the reference says ${expected[i]}, rounding allows ${bound}`;
    }
  }
  return undefined;
}

export type ValueKind = 'normal' | 'ties' | 'nan' | 'negative-infinity' | 'zeros';

/**
 * Seeded float32 values: normal; few distinct ones, so that most windows hold a tie; normal with NaN sprinkled in;
 * normal with -infinity, whole windows of it included; zeros of both signs.
 */
export function makeValues(kind: ValueKind, size: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: size }, () => {
    const value = random.normal();
    if (kind === 'ties') return Math.round(value);
    if (kind === 'nan') return random.uniform() < 0.1 ? Number.NaN : value;
    if (kind === 'negative-infinity') return random.uniform() < 0.7 ? Number.NEGATIVE_INFINITY : value;
    if (kind === 'zeros') return value < 0 ? -0 : 0;
    return value;
  });
}
