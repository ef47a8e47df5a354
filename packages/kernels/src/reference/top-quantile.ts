import { UnitscopeError } from '@unitscope/tensor';
import type { KernelArguments } from '../kernel-arguments.js';
import type { OnHost } from '../storage.js';

/** The `keep` largest of a unit's buffer and the batch, by a full sort, into the same buffer. Throws `bad-input` on NaN. */
export function topQuantileReference(from: OnHost<KernelArguments['topQuantile']>): void {
  const { images, units, cells, keep, capacity } = from;
  if (from.values.some(Number.isNaN)) throw new UnitscopeError('bad-input', 'topQuantile: a unit has a NaN');
  for (let unit = 0; unit < units; unit++) {
    const all = [...from.kept.subarray(unit * capacity, unit * capacity + from.filled[unit]!)];
    for (let image = 0; image < images; image++) {
      const start = (image * units + unit) * cells;
      for (let cell = start; cell < start + cells; cell++) all.push(from.values[cell]!);
    }
    const largest = Float64Array.from(all).sort().reverse().subarray(0, keep);
    from.kept.set(largest, unit * capacity);
    from.filled[unit] = largest.length;
    if (all.length >= keep) from.cutoff[unit] = Math.max(from.cutoff[unit]!, largest[keep - 1]!);
  }
}
