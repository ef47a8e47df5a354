import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import { GRAPH_SUMS, type GraphNodes, type GraphSums } from './graph-em-step.js';
import { requireDims } from './pooling.js';

export interface UpdateGraphOptions {
  /** The iteration that the step was part of, from 1: steps shrink as its fourth root. */
  readonly iteration: number;
  /** The side of the layer's maps, in cells. */
  readonly size: number;
  /** The deviations of the priors that the step was given. Default 0.15 of `size`, those of a step without parents. */
  readonly priorSigma?: Tensor<Float64Array>;
  /** Nodes per cell of a filter, which bounds the deviations. Default the nodes over `size`^2. */
  readonly density?: number;
  /** As the step was given it. Default 0.15 of `size`. */
  readonly range?: number;
  /** The learning rate. Default 1. */
  readonly eta?: number;
}

function requirePositive(name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value)))
    throw new UnitscopeError('wrong-use', `${name} must be above 0 and finite, it is ${value}`, {
      subject: name,
    });
}

/**
 * The maximisation step of one layer of an explanatory graph, from the sums of `graphEmStep` over all images:
 *
 *   coord = coord + LD / max(NP, 1e-8) eta (min s / iteration^(1/4))^2
 *   sigma = sqrt(PV / P) 2r/6, between 0.1 and 1 times size / sqrt(density size^2)
 *
 * min s is the smallest deviation of the priors, r the node's half range. A node that no image activates stays where it is
 * and gets the least deviation. New arrays; the nodes given are left as they are.
 */
export function updateGraph(
  { coord, sigma }: GraphNodes,
  sums: GraphSums,
  options: UpdateGraphOptions,
): GraphNodes {
  const [channels = 0, nodes = 0] = sigma.dims;
  const { iteration, size, priorSigma, eta = 1 } = options;
  const { density = nodes / size ** 2, range = 0.15 * size } = options;
  requireDims('coord', coord, [channels, nodes, 2]);
  requireDims('sigma', sigma, [channels, nodes]);
  requireDims('sums', sums, [channels, nodes, GRAPH_SUMS.length]);
  if (priorSigma !== undefined) requireDims('priorSigma', priorSigma, [channels, nodes]);
  requirePositive('size', size);
  requirePositive('iteration', iteration);
  if (nodes > 0) requirePositive('density', density);
  const least = priorSigma?.data.reduce((most, value) => Math.min(most, value), Number.POSITIVE_INFINITY);
  const rate = eta * ((least ?? 0.15 * size) / iteration ** 0.25) ** 2;
  const widest = 1 / Math.sqrt(density);
  const moved = coord.data.slice();
  const spread = sigma.data.slice();
  for (let n = 0; n < channels * nodes; n++) {
    const [np = 0, ldRow = 0, ldColumn = 0, p = 0, pv = 0] = sums.data.subarray(5 * n, 5 * n + 5);
    const scale = rate / Math.max(np, 1e-8);
    moved[2 * n] = moved[2 * n]! + ldRow * scale;
    moved[2 * n + 1] = moved[2 * n + 1]! + ldColumn * scale;
    const bin = Math.floor(Math.min(range, 3 * sigma.data[n]!) + 0.5) / 3;
    const deviation = p === 0 ? 0 : Math.sqrt(pv / p) * bin;
    spread[n] = Math.min(Math.max(deviation, 0.1 * widest), widest);
  }
  return { coord: { dims: coord.dims, data: moved }, sigma: { dims: sigma.dims, data: spread } };
}
