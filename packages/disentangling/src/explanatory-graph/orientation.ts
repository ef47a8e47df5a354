import type { GraphNodes } from '@unitscope/kernels';
import { sliceBatch, type Tensor } from '@unitscope/tensor';
import type { OrientationRule } from './parameters.js';

/** What a step found in one or more pictures: `[pictures, filters, nodes, 2]` and `[pictures, filters, nodes]`. */
export interface Found {
  readonly position: Tensor;
  readonly score: Tensor;
}

/**
 * How well the nodes of the top layer explain a picture, by a rule of `OrientationRule`; of two orientations the larger
 * wins. At the place each node was found, with E = score / prob.
 *
 * @param sigma the deviation of the prior, in cells
 */
export function orientationScore(
  { position, score }: Found,
  picture: number,
  { coord }: GraphNodes,
  sigma: number,
  rule: OrientationRule,
): number {
  const { data } = sliceBatch(score, picture, picture + 1);
  if (rule === 'score') return data.reduce((sum, value) => sum + value, 0);
  const places = sliceBatch(position, picture, picture + 1).data;
  let sum = 0;
  for (let node = 0; node < data.length; node++) {
    const y = places[2 * node]! - coord.data[2 * node]!;
    const x = places[2 * node + 1]! - coord.data[2 * node + 1]!;
    const logProb = -(y * y + x * x) / (2 * sigma * sigma) - Math.log(2 * Math.PI * sigma * sigma);
    sum += (logProb * data[node]!) / Math.exp(logProb);
  }
  return sum;
}
