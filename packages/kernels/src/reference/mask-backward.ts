import type { MaskParams } from '../kernel-arguments.js';
import { templateValue } from './template-value.js';

/**
 * dx = dy * T_mu where x * T_mu > 0, or, without x, where T_mu > 0; straight from the definition, in float64. `magnitude`
 * is the sum of |terms| of every cell, for bounds on rounding.
 */
export function maskBackwardReference(
  params: MaskParams,
  dy: ArrayLike<number>,
  x: ArrayLike<number> | undefined,
  beta: ArrayLike<number>,
  mu: ArrayLike<number>,
): { dx: Float64Array; magnitude: Float64Array } {
  const cells = params.size ** 2;
  const dx = new Float64Array(dy.length);
  const magnitude = new Float64Array(dy.length);
  for (let i = 0; i < dy.length; i++) {
    const map = Math.floor(i / cells);
    const template = templateValue(params, beta[map % params.channels]!, mu[map]!, i % cells);
    const gate = x === undefined ? template.value : x[i]! * template.value;
    dx[i] = gate <= 0 ? 0 : dy[i]! * template.value;
    magnitude[i] = Math.abs(dy[i]!) * template.magnitude;
  }
  return { dx, magnitude };
}
