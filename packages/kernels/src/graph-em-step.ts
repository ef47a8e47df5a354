import { sizeOf } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { badInput } from './bad-input.js';
import { type KernelCall, run, runSync } from './call.js';
import {
  type AnyArray,
  type AnyTensor,
  type ArrayIn,
  DeviceBuffer,
  type Place,
  type PlaceOf,
  type TensorIn,
  type TensorOver,
} from './device-buffer.js';
import type { GraphParams } from './kernel-arguments.js';
import { requireDims } from './pooling.js';
import { graphEmStepReference } from './reference/graph-em-step.js';
import { outputLike, sumLike } from './storage.js';

/** The nodes of one layer of an explanatory graph, the same number for every filter. Cells are counted from 0. */
export interface GraphNodes<P extends Place = 'host'> {
  /** `[channels, nodes, 2]`: row and column of each node's mean position, in cells. */
  readonly coord: TensorIn<P, Float64Array>;
  /** `[channels, nodes]`: the deviation of a node's position, in cells; three of it are searched. */
  readonly sigma: TensorIn<P, Float64Array>;
}

/** What the parents of each node say about it: the result of `graphParents`. */
export interface GraphPriors<P extends Place = 'host'> {
  /** `[channels, nodes]`: the deviation s of the prior, in cells. */
  readonly sigma: TensorIn<P, Float64Array>;
  /** `[images, channels, nodes, 2]`: where the parents shift the node to, from its mean position. */
  readonly offset: TensorIn<P>;
  /** `[images, channels, nodes]`: how well the parents agree. */
  readonly weight: TensorIn<P>;
}

/** What `GraphSums` holds of a node, in the order of its last axis. */
export const GRAPH_SUMS = ['np', 'ldRow', 'ldColumn', 'p', 'pv'] as const;

/**
 * `[channels, nodes, 5]`: over the images seen, sum of R E, of R E c / s^2 by row and by column, of prob E, and of prob E
 * times the squared distance from the centre, in candidates. Shards are merged by adding them up.
 */
export type GraphSums<P extends Place = 'host'> = TensorIn<P, Float64Array>;

export interface GraphEmStepOptions<P extends Place = 'host'> extends KernelOptions {
  /** What the parents say. Without them, as at the top layer or in the first iteration, s is 0.15 of the map's height. */
  readonly priors?: GraphPriors<Place>;
  /** The largest half range of the search, in cells. Default 0.15 of the map's height, the released code's. */
  readonly range?: number;
  /** The deviation m of the smoothing, in cells. Default 0.025 of the map's height. */
  readonly smoothing?: number;
  /** The weight of "none of the nodes". Default 0.1. */
  readonly tau?: number;
  /** Arrays to write to instead of new ones, where those would lie; `sums` is added to. */
  readonly into?: {
    readonly sums?: GraphSums<P>;
    readonly position?: ArrayIn<P>;
    readonly score?: ArrayIn<P>;
    readonly tauOfImage?: ArrayIn<P, Float64Array>;
  };
}

export interface GraphEmStepResult<P extends Place = 'host'> {
  readonly sums: GraphSums<P>;
  /** `[images, channels, nodes, 2]`: row and column of each node in each image, in cells. */
  readonly position: TensorIn<P>;
  /** `[images, channels, nodes]`: prob E at that position. */
  readonly score: TensorIn<P>;
  /** `[images]`: the constant probability of "none of the nodes". */
  readonly tauOfImage: TensorIn<P, Float64Array>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'graphEmStep'>;
  readonly result: Omit<GraphEmStepResult<Place>, 'backend'>;
}

/** What lies on a device is not looked at. */
function requirePositive(name: string, { data }: AnyTensor<Float64Array>): void {
  if (data instanceof DeviceBuffer) return;
  for (const value of data) {
    if (!(value > 0 && Number.isFinite(value)))
      throw badInput(name, `${name} must be above 0 and finite, one is ${value}`);
  }
}

function paramsOf(
  x: AnyTensor,
  { coord }: GraphNodes<Place>,
  options: GraphEmStepOptions<Place>,
): GraphParams {
  const [images = 0, channels = 0, height = 0, width = 0] = x.dims;
  if (x.dims.length !== 4 || Math.min(height, width) < 1)
    throw badInput('x', `x must be [images, channels, height, width], it has dims [${x.dims.join(', ')}]`);
  requireDims('x', x, [images, channels, height, width]);
  const nodes = coord.dims[1] ?? 0;
  const { range = 0.15 * height, smoothing = 0.025 * height, tau = 0.1 } = options;
  return { images, channels, height, width, nodes, range, smoothing, tau };
}

/** The prior's arrays; without parents, one deviation for all and nothing else. */
function priorsOf(params: GraphParams, priors: GraphPriors<Place> | undefined) {
  const { images, channels, nodes, height } = params;
  if (priors === undefined) {
    return {
      withPriors: 0,
      priorSigma: new Float64Array(channels * nodes).fill(0.15 * height),
      priorOffset: new Float32Array(0),
      priorWeight: new Float32Array(0),
    };
  }
  requireDims('priors.sigma', priors.sigma, [channels, nodes]);
  requirePositive('priors.sigma', priors.sigma);
  requireDims('priors.offset', priors.offset, [images, channels, nodes, 2]);
  requireDims('priors.weight', priors.weight, [images, channels, nodes]);
  return {
    withPriors: 1,
    priorSigma: priors.sigma.data,
    priorOffset: priors.offset.data,
    priorWeight: priors.weight.data,
  };
}

function prepare(x: AnyTensor, nodes: GraphNodes<Place>, options: GraphEmStepOptions<Place>): Prepared {
  const params = paramsOf(x, nodes, options);
  const { images, channels, nodes: count } = params;
  requireDims('coord', nodes.coord, [channels, count, 2]);
  requireDims('sigma', nodes.sigma, [channels, count]);
  requirePositive('sigma', nodes.sigma);
  const { into } = options;
  const dims = [channels, count, GRAPH_SUMS.length];
  if (into?.sums !== undefined) requireDims('sums', into.sums, dims);
  const sums = sumLike(x.data, 'sums', into?.sums?.data, Float64Array, sizeOf(dims));
  const seen = images * channels * count;
  const position = outputLike(x.data, 'position', into?.position, Float32Array, 2 * seen);
  const score = outputLike(x.data, 'score', into?.score, Float32Array, seen);
  const tauOfImage = outputLike(x.data, 'tauOfImage', into?.tauOfImage, Float64Array, images);
  const call = {
    ...params,
    ...priorsOf(params, options.priors),
    x: x.data,
    coord: nodes.coord.data,
    sigma: nodes.sigma.data,
    sums,
    position,
    score,
    tauOfImage,
  };
  return {
    call: {
      kernel: 'graphEmStep',
      arguments: call,
      runReference: (host) => {
        const found = graphEmStepReference(host);
        for (let i = 0; i < host.sums.length; i++) host.sums[i] = host.sums[i]! + found.sums[i]!;
        host.position.set(found.position);
        host.score.set(found.score);
        host.tauOfImage.set(found.tauOfImage);
      },
    },
    result: {
      sums: { dims, data: sums },
      position: { dims: [images, channels, count, 2], data: position },
      score: { dims: [images, channels, count], data: score },
      tauOfImage: { dims: [images], data: tauOfImage },
    },
  };
}

/**
 * The expectation step of one layer of an explanatory graph over a batch of images (Zhang et al., arXiv:1708.01785, in the
 * form of the authors' code): for every node the probability of 6 x 6 candidate positions around its mean, the smoothed
 * activations there, its responsibility for them among the nodes of its filter, the sums that `updateGraph` needs, and the
 * candidate it most likely is at. native/include/unitscope/graph_em_step.h has the formulas.
 *
 * The released code reads the deviations and ranges of the first filter for all filters; here each node has its own.
 * Positions are counted from 0, the released code's from 1. All filters of the layer belong into one call, because
 * `tauOfImage` is a mean over them; images may be split into batches at will, with the same sums, bit for bit. Sums are in
 * double, position and score rounded once. NaN in a node's window makes its sums and its score NaN.
 *
 * Throws `bad-input` for tensors that do not fit or deviations that are not positive, `unsupported` for a range above 32
 * cells. Deviations that lie on a device are not looked at, and with one that is not positive the results mean nothing. The
 * arrays must not be transferred or written to until the promise is settled.
 *
 * @param x `[images, channels, height, width]`; what is not above 0 is inactive
 */
export function graphEmStep<S extends AnyArray>(
  x: TensorOver<S>,
  nodes: GraphNodes<Place>,
  options?: GraphEmStepOptions<PlaceOf<S>>,
): Promise<GraphEmStepResult<PlaceOf<S>>>;
export async function graphEmStep(
  x: AnyTensor,
  nodes: GraphNodes<Place>,
  options: GraphEmStepOptions<Place> = {},
): Promise<GraphEmStepResult<Place>> {
  const { call, result } = prepare(x, nodes, options);
  return { ...result, backend: await run(call, options) };
}

/** As `graphEmStep`, on the calling thread: for small work. */
export function graphEmStepSync<S extends AnyArray>(
  x: TensorOver<S>,
  nodes: GraphNodes<Place>,
  options?: GraphEmStepOptions<PlaceOf<S>>,
): GraphEmStepResult<PlaceOf<S>>;
export function graphEmStepSync(
  x: AnyTensor,
  nodes: GraphNodes<Place>,
  options: GraphEmStepOptions<Place> = {},
): GraphEmStepResult<Place> {
  const { call, result } = prepare(x, nodes, options);
  return { ...result, backend: runSync(call, options) };
}
