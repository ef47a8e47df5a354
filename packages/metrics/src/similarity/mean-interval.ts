import { UnitscopeError } from '@unitscope/tensor';

export interface MeanInterval {
  /** NaN of no values. */
  readonly mean: number;
  /** Half the width of the 95 % interval of the mean; NaN of fewer than two values. */
  readonly interval: number;
  /** How many values there are; NaN is none. */
  readonly count: number;
}

// Student's t, 97.5 %, of 1 to 30 degrees of freedom; Fisher's tables.
const QUANTILES = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/** Of the normal distribution, and of its next terms in 1 / degrees (Cornish and Fisher 1938). */
const NORMAL = 1.959964;

/**
 * The mean of values, such as similarities over pictures, and its 95 % interval by Student's t: t s / sqrt(n), s being
 * the deviation of the sample. NaN is left out.
 *
 * Throws `bad-input` for infinity.
 */
export function meanInterval(values: Iterable<number>): MeanInterval {
  const known = [...values].filter((value) => !Number.isNaN(value));
  if (known.some((value) => !Number.isFinite(value)))
    throw new UnitscopeError('bad-input', 'the mean of infinite values is asked for');
  const count = known.length;
  const mean = known.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, interval: Number.NaN, count };
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, interval: quantile(count - 1) * Math.sqrt(squares / (count - 1) / count), count };
}

function quantile(degrees: number): number {
  const z = NORMAL;
  const corrections = (z ** 3 + z) / (4 * degrees) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2);
  return QUANTILES[degrees - 1] ?? z + corrections;
}
