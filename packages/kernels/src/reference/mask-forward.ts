import type { MaskParams } from '../kernel-arguments.js';
import { templateValue } from './template-value.js';

function largestCell(map: ArrayLike<number>): number {
  const values = Array.from(map);
  const notNumber = values.findIndex(Number.isNaN);
  if (notNumber >= 0) return notNumber;
  return values.indexOf(values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY));
}

/** round(sum(i x) / max(sum x, 1e-9)) along one axis, cells counted from 1, clamped to the map; the answer from 0. */
function centroidAlong(map: ArrayLike<number>, size: number, position: (cell: number) => number): number {
  let weighted = 0;
  let total = 0;
  for (let cell = 0; cell < map.length; cell++) {
    weighted += (position(cell) + 1) * map[cell]!;
    total += map[cell]!;
  }
  const mean = Math.round(weighted / Math.max(total, 1e-9));
  return Number.isNaN(mean) ? 0 : Math.min(Math.max(mean, 1), size) - 1;
}

/**
 * The masked maps and the cells of their parts, straight from the definition, in float64. `magnitude` is the sum of
 * |terms| of every cell, for bounds on rounding.
 */
export function maskForwardReference(
  params: MaskParams,
  location: 'argmax' | 'centroid',
  x: Float32Array | Float64Array,
  beta: ArrayLike<number>,
): { y: Float64Array; mu: Int32Array; magnitude: Float64Array } {
  const { batch, channels, size } = params;
  const cells = size * size;
  const y = new Float64Array(x.length);
  const magnitude = new Float64Array(x.length);
  const mu = new Int32Array(batch * channels);
  for (let map = 0; map < mu.length; map++) {
    const values = x.subarray(map * cells, (map + 1) * cells);
    const part =
      location === 'argmax'
        ? largestCell(values)
        : centroidAlong(values, size, (cell) => Math.floor(cell / size)) * size +
          centroidAlong(values, size, (cell) => cell % size);
    mu[map] = part;
    for (let cell = 0; cell < cells; cell++) {
      const template = templateValue(params, beta[map % channels]!, part, cell);
      const product = values[cell]! * template.value;
      y[map * cells + cell] = Math.max(product, 0);
      magnitude[map * cells + cell] = Math.abs(values[cell]!) * template.magnitude;
    }
  }
  return { y, mu, magnitude };
}
