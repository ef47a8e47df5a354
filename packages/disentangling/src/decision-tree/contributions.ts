import { UnitscopeError } from '@unitscope/tensor';
import type { TreeSamples } from './samples.js';
import type { TreeNode } from './tree.js';

/** What the filters and parts of a picture add to its score, by a node. */
export interface Contributions {
  /** ρ = w ∘ x, [D]; with b they sum up to the predicted score. */
  readonly filters: Float64Array;
  /** ϱ = A ρ: the sum over the filters of every part, [M]. */
  readonly parts: Float64Array;
  /** Share of every part in the sum over the parts; NaN where that is zero. */
  readonly shares: Float64Array;
}

/**
 * Contributions of the filters to the score of row `n` of the samples (SPEC: decision tree, 7). `partOfFilter` names the
 * part of every filter, 0 to M - 1, or -1 for a filter that belongs to none.
 */
export function contributionsOf(
  { w }: TreeNode,
  samples: TreeSamples,
  n: number,
  partOfFilter: readonly number[],
  parts: number,
): Contributions {
  requireParts(partOfFilter, samples.filters, parts);
  const filters = w.map((weight, d) => weight * samples.x[n * w.length + d]!);
  const sums = new Float64Array(parts);
  for (const [d, part] of partOfFilter.entries()) if (part >= 0) sums[part]! += filters[d]!;
  const total = sums.reduce((sum, value) => sum + value, 0);
  return {
    filters,
    parts: sums,
    shares: sums.map((value) => (total === 0 ? Number.NaN : value / total)),
  };
}

/**
 * How well a node's rationale fits what the filters really add to the score of row `n`, t = g ∘ x: the Jaccard
 * similarity sum min(ρ̂, |t|) / sum max(ρ̂, |t|), with ρ̂ = max(ρ sign(t), 0); NaN where both are zero.
 */
export function fitnessOf({ w }: TreeNode, samples: TreeSamples, n: number): number {
  let shared = 0;
  let all = 0;
  for (let d = 0; d < w.length; d++) {
    const x = samples.x[n * w.length + d]!;
    const exact = samples.g[n * w.length + d]! * x;
    const fitted = Math.max(w[d]! * x * Math.sign(exact), 0);
    shared += Math.min(fitted, Math.abs(exact));
    all += Math.max(fitted, Math.abs(exact));
  }
  return shared / all;
}

/**
 * The part every filter belongs to: the one whose annotated centre was nearest to the filter's strongest place in most
 * pictures. `centers` are the filters' places [picture][filter] and `parts` the parts' centres [picture][part], (y, x)
 * in pixels; undefined where the filter is silent or the part not visible. -1 for a filter that was never near one; of
 * parts with as many pictures the first counts.
 */
export function partsOfFilters(
  centers: readonly (readonly (readonly [number, number] | undefined)[])[],
  parts: readonly (readonly (readonly [number, number] | undefined)[])[],
  filters: number,
): number[] {
  const count = Math.max(0, ...parts.map((row) => row.length));
  return Array.from({ length: filters }, (_, d) => {
    const votes = new Float64Array(count);
    for (const [picture, row] of centers.entries()) {
      const center = row[d];
      if (center === undefined) continue;
      let nearest = -1;
      let shortest = Number.POSITIVE_INFINITY;
      for (const [m, part] of (parts[picture] ?? []).entries()) {
        if (part === undefined) continue;
        const distance = Math.hypot(part[0] - center[0], part[1] - center[1]);
        if (distance < shortest) [nearest, shortest] = [m, distance];
      }
      if (nearest >= 0) votes[nearest]!++;
    }
    const most = Math.max(0, ...votes);
    return most === 0 ? -1 : votes.indexOf(most);
  });
}

function requireParts(partOfFilter: readonly number[], filters: number, parts: number): void {
  if (partOfFilter.length === filters && partOfFilter.every((part) => part >= -1 && part < parts)) return;
  throw new UnitscopeError(
    'bad-input',
    `every one of the ${filters} filters needs a part from 0 to ${parts - 1}, or -1 for none; there are ${partOfFilter.length}`,
    { subject: 'partOfFilter' },
  );
}
