import type { Pool2dParams } from '../kernel-arguments.js';
import { forEachWindow } from './window-cells.js';

/** Max-pooling with switches, straight from the definition, in float64. */
export function maxPoolReference(
  params: Pool2dParams,
  x: ArrayLike<number>,
): { y: Float64Array; switches: Uint8Array } {
  const windows = params.planes * params.outHeight * params.outWidth;
  const y = new Float64Array(windows);
  const switches = new Uint8Array(windows);
  forEachWindow(params, (cells, planeStart, window) => {
    const at = (index: number) => x[planeStart + index]!;
    const largest = Math.max(...cells.map(({ index }) => at(index)));
    // Math.max is NaN if anything is.
    const winner = cells.find(({ index }) =>
      Number.isNaN(largest) ? Number.isNaN(at(index)) : at(index) === largest,
    )!;
    y[window] = at(winner.index);
    switches[window] = winner.position;
  });
  return { y, switches };
}
