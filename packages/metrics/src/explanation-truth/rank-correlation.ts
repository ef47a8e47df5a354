import { UnitscopeError } from '@unitscope/tensor';

/**
 * Spearman's rank correlation, Pearson's of the ranks, equal values sharing the mean of their ranks (Spearman 1904):
 * rho = sum d_i e_i / sqrt(sum d_i^2 sum e_i^2), d_i and e_i being the ranks' distances from (n + 1) / 2. The sums are
 * exact, over whole numbers, so the result is rounded by a root and a division alone; +1 and -1 are reached exactly.
 *
 * Used between what a map says of each part and the drop of the score when that part is removed from the picture: the
 * single deletion of parts of Hesse, Schaub-Meyer and Roth 2023 (FunnyBirds, arXiv:2308.06248).
 *
 * @returns NaN for fewer than two pairs and where all values of one side are equal
 *
 * Throws `bad-input` for lists of different lengths, NaN, and more than 65536 pairs.
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length)
    throw new UnitscopeError('bad-input', `${a.length} values cannot be paired with ${b.length}`);
  // A sum of n products of whole numbers up to n stays below 2^53.
  if (a.length > 2 ** 16)
    throw new UnitscopeError('bad-input', `${a.length} pairs are too many; give at most ${2 ** 16}`);
  const [d, e] = [doubledDistances(a), doubledDistances(b)];
  let [both, first, second] = [0, 0, 0];
  for (let i = 0; i < d.length; i++) {
    both += d[i]! * e[i]!;
    first += d[i]! ** 2;
    second += e[i]! ** 2;
  }
  if (first === second) return both / first;
  return both / (Math.sqrt(first) * Math.sqrt(second));
}

/** Twice the distance of each value's rank from the middle rank: a whole number. */
function doubledDistances(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const distances = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    const value = values[order[start]!]!;
    if (Number.isNaN(value)) throw new UnitscopeError('bad-input', 'NaN has no rank');
    let end = start + 1;
    while (end < order.length && values[order[end]!] === value) end++;
    // Ranks start + 1 to end, their mean doubled, less n + 1.
    for (let i = start; i < end; i++) distances[order[i]!] = start + end - order.length;
    start = end;
  }
  return distances;
}
