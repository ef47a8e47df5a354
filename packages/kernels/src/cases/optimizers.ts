import { Random } from '@unitscope/tensor';

/** Lengths around the vector widths, and one that several threads share. */
export const LENGTHS = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 1000, 70001];
export const REAL_LENGTH = 4_000_000;

export type ParameterKind = 'normal' | 'small' | 'zeros' | 'nan';

/** Seeded parameters, gradients or state. */
export function makeParameters(kind: ParameterKind, size: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: size }, () => {
    const value = random.normal();
    if (kind === 'small') return value * 1e-20;
    if (kind === 'zeros') return random.uniform() < 0.7 ? 0 : value;
    if (kind === 'nan') return random.uniform() < 0.1 ? Number.NaN : value;
    return value;
  });
}

/** The first place where the arrays are further apart than `bounds` says; NaN equals NaN. */
export function firstBeyond(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bounds: ArrayLike<number>,
): string | undefined {
  for (let i = 0; i < expected.length; i++) {
    if (Number.isNaN(actual[i]) && Number.isNaN(expected[i])) continue;
    if (!(Math.abs(actual[i]! - expected[i]!) <= bounds[i]!))
      return `${name}[${i}] is ${actual[i]}, the reference says ${expected[i]}, rounding allows ${bounds[i]}`;
  }
  return undefined;
}
