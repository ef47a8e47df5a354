import { UnitscopeError } from '@unitscope/tensor';
import type { Pool2dParams } from '../kernel-arguments.js';
import { signalRuleReference } from './signal-rule.js';
import { forEachWindow } from './window-cells.js';

/**
 * Unpooling by switches and the rule, straight from the definition, in float64. `magnitude` is the sum of |terms| of every cell, for
 * bounds on rounding. Throws `bad-input` for a switch that is no cell of the plane.
 */
export function unpoolReference(
  params: Pool2dParams,
  mode: 'accumulate' | 'overwrite',
  rule: 'none' | 'deconvnet',
  y: ArrayLike<number>,
  switches: ArrayLike<number>,
): { x: Float64Array; magnitude: Float64Array } {
  const x = new Float64Array(params.planes * params.height * params.width);
  const magnitude = new Float64Array(x.length);
  forEachWindow(params, (cells, planeStart, window) => {
    const chosen = cells.find(({ position }) => position === switches[window]);
    if (chosen === undefined) {
      throw new UnitscopeError(
        'bad-input',
        `switch ${switches[window]} of window ${window} is no cell of the plane`,
      );
    }
    const target = planeStart + chosen.index;
    x[target] = mode === 'accumulate' ? x[target]! + y[window]! : y[window]!;
    magnitude[target] = magnitude[target]! + Math.abs(y[window]!);
  });
  return { x: x.map((signal) => signalRuleReference(rule, signal, Number.NaN)), magnitude };
}
