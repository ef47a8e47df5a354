import { UnitscopeError } from '@unitscope/tensor';

/**
 * Spearman's rank correlation, Pearson's of the ranks, equal values sharing the mean of their ranks (Spearman 1904):
 * rho = sum d_i e_i / sqrt(sum d_i^2 sum e_i^2), d_i and e_i being the ranks' distances from (n + 1) / 2. Up to 300000
 * pairs the sums are exact, over whole numbers, so the result is rounded by a root and a division alone; +1 and -1 are
 * reached exactly.
 *
 * Used between two maps (Adebayo et al. 2018, arXiv:1810.03292), and between what a map says of each part and the drop
 * of the score when that part is removed from the picture: the single deletion of parts of Hesse, Schaub-Meyer and Roth
 * 2023 (FunnyBirds, arXiv:2308.06248).
 *
 * @returns NaN for fewer than two pairs and where all values of one side are equal
 *
 * Throws `bad-input` for lists of different lengths and NaN.
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return spearmanWith(b)(a);
}

/** `spearman` with one list that many are compared with, ranked once. */
export function spearmanWith(b: ArrayLike<number>): (a: ArrayLike<number>) => number {
  const e = doubledDistances(b);
  return (a) => {
    requirePairs(a, b);
    const d = doubledDistances(a);
    let [both, first, second] = [0, 0, 0];
    for (let i = 0; i < d.length; i++) {
      both += d[i]! * e[i]!;
      first += d[i]! ** 2;
      second += e[i]! ** 2;
    }
    if (first === second) return both / first;
    return both / (Math.sqrt(first) * Math.sqrt(second));
  };
}

/**
 * Pearson's correlation, sum (a_i - A)(b_i - B) / sqrt(sum (a_i - A)^2 sum (b_i - B)^2), A and B being the means; in
 * two passes, so that a large mean costs no digits.
 *
 * @returns NaN for fewer than two pairs and where all values of one side are equal
 *
 * Throws `bad-input` for lists of different lengths.
 */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  requirePairs(a, b);
  const [x, y] = [distancesFromMean(a), distancesFromMean(b)];
  let [both, first, second] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    both += x[i]! * y[i]!;
    first += x[i]! ** 2;
    second += y[i]! ** 2;
  }
  return both / (Math.sqrt(first) * Math.sqrt(second));
}

function requirePairs(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length === b.length) return;
  throw new UnitscopeError('bad-input', `${a.length} values cannot be paired with ${b.length}`);
}

/** Zeros for a list of equal values, whose mean may be rounded away from them. */
function distancesFromMean(values: ArrayLike<number>): Float64Array {
  const distances = Float64Array.from(values);
  if (distances.every((value) => value === distances[0])) return distances.fill(0);
  let sum = 0;
  for (const value of distances) sum += value;
  const mean = sum / distances.length;
  return distances.map((value) => value - mean);
}

/** Twice the distance of each value's rank from the middle rank: a whole number. */
function doubledDistances(values: ArrayLike<number>): Float64Array {
  // Sorted as numbers and looked up again: many times faster than sorting indices by a function.
  const sorted = Float64Array.from(values).sort();
  if (Number.isNaN(sorted.at(-1))) throw new UnitscopeError('bad-input', 'NaN has no rank');
  const ends = runEnds(sorted);
  return Float64Array.from(values, (value) => {
    const start = countBelow(sorted, value);
    // Ranks start + 1 to the run's end, their mean doubled, less n + 1.
    return start + ends[start]! - sorted.length;
  });
}

/** For each place of sorted values, how many are not above the value there. */
function runEnds(sorted: Float64Array): Uint32Array {
  const ends = new Uint32Array(sorted.length);
  for (let i = sorted.length - 1; i >= 0; i--) ends[i] = sorted[i] === sorted[i + 1] ? ends[i + 1]! : i + 1;
  return ends;
}

/** How many of the sorted values are below a value. */
function countBelow(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
