import type { Pool2dParams } from '../kernel-arguments.js';
import { signalRuleReference } from './signal-rule.js';
import { forEachWindow } from './window-cells.js';

/**
 * The gradient of max-pooling, straight from the definition, in float64: of each window the whole signal goes to the
 * first cell that holds the maximum; what a cell has collected then passes the rule of the ReLU that made x.
 * `magnitude` is the sum of |terms| of every cell.
 */
export function maxPoolBackwardReference(
  params: Pool2dParams,
  rule: 'none' | 'gradient' | 'guided' | 'deconvnet',
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
): { dx: Float64Array; magnitude: Float64Array } {
  const dx = new Float64Array(params.planes * params.height * params.width);
  const magnitude = new Float64Array(dx.length);
  forEachWindow(params, (cells, planeStart, window) => {
    let winner = cells[0]!.index;
    for (const { index } of cells) {
      const value = x[planeStart + index]!;
      const best = x[planeStart + winner]!;
      if (!Number.isNaN(best) && (Number.isNaN(value) || value > best)) winner = index;
    }
    const target = planeStart + winner;
    dx[target] = dx[target]! + dy[window]!;
    magnitude[target] = magnitude[target]! + Math.abs(dy[window]!);
  });
  return { dx: dx.map((signal, cell) => signalRuleReference(rule, signal, x[cell]!)), magnitude };
}
