import {
  GRAPH_SUMS,
  type GraphEmStepOptions,
  type GraphNodes,
  type GraphPriors,
  type GraphSums,
  graphEmStep,
  graphParents,
  type KernelOptions,
  updateGraph,
} from '@unitscope/kernels';
import { Random, sliceBatch, type Tensor, throwIfAborted, UnitscopeError, zeros } from '@unitscope/tensor';
import { type Features, readOriented } from './features.js';
import type { MapGeometry } from './graph.js';
import { orientationScore } from './orientation.js';
import { choosesParents, type GraphParameters } from './parameters.js';
import {
  candidateParents,
  cellRatio,
  chooseParents,
  deviationsOf,
  momentsOf,
  type UpperNodes,
} from './parents.js';

/** A layer that is being learned: everything the next iteration depends on. */
export interface LayerState {
  /** Iterations that are done. */
  iteration: number;
  coord: Tensor<Float64Array>;
  sigma: Tensor<Float64Array>;
  parents: Tensor<Int32Array> | undefined;
  /** Of the last iteration: `[pictures, filters, nodes, 2]`, `[pictures, filters, nodes]` and `[filters, nodes]`. */
  position: Tensor;
  score: Tensor;
  strength: Tensor<Float64Array>;
}

export interface LayerLearning {
  readonly features: Features;
  readonly layer: number;
  readonly parameters: GraphParameters;
  /** The layer above; none at the top. */
  readonly upper: UpperNodes | undefined;
  /** Of each picture, 1 where the mirror image is used. The top layer writes it. */
  readonly mirrored: Uint8Array;
  readonly kernel: KernelOptions;
  readonly signal: AbortSignal | undefined;
}

/** Nodes at distinct random cells of their filter, `nodes` of each. */
export function startLayer(
  { filters, height, width }: MapGeometry,
  nodes: number,
  pictures: number,
  { seed, initialSigma }: GraphParameters,
  layer: number,
): LayerState {
  const random = new Random((seed + layer * 0x9e3779b1) >>> 0);
  const coord = new Float64Array(filters * nodes * 2);
  const cells = Int32Array.from({ length: height * width }, (_, cell) => cell);
  if (nodes > cells.length)
    throw new UnitscopeError('wrong-use', `${nodes} nodes of a filter do not fit into ${cells.length} cells`);
  for (let filter = 0; filter < filters; filter++) {
    for (let node = 0; node < nodes; node++) {
      const other = random.integer(node, cells.length - 1);
      const cell = cells[other]!;
      cells[other] = cells[node]!;
      cells[node] = cell;
      coord.set([Math.floor(cell / width), cell % width], 2 * (filter * nodes + node));
    }
  }
  return {
    iteration: 0,
    coord: { dims: [filters, nodes, 2], data: coord },
    sigma: { dims: [filters, nodes], data: new Float64Array(filters * nodes).fill(initialSigma * height) },
    parents: undefined,
    position: zeros([pictures, filters, nodes, 2]),
    score: zeros([pictures, filters, nodes]),
    strength: { dims: [filters, nodes], data: new Float64Array(filters * nodes) },
  };
}

/** One iteration over all pictures. The state is changed when it is done, and not before. Throws `aborted`. */
export async function iterateLayer(state: LayerState, learning: LayerLearning): Promise<void> {
  const { features, layer, parameters, upper, mirrored, signal } = learning;
  const { height, width } = features.layers[layer]!;
  const iteration = state.iteration + 1;
  const parents = await parentsOf(state, learning, iteration);
  const priors =
    parents === undefined || upper === undefined ? undefined : priorsOf(parents, upper, learning);
  const sums: GraphSums = {
    dims: [...state.sigma.dims, GRAPH_SUMS.length],
    data: new Float64Array(state.sigma.data.length * GRAPH_SUMS.length),
  };
  const [position, score] = [zeros(state.position.dims), zeros(state.score.dims)];
  const choosing = layer === 0 && features.mirrored && parameters.flip;
  for (const [chunk, { start, count }] of features.chunks.entries()) {
    throwIfAborted(signal);
    const into = {
      sums,
      position: sliceBatch(position, start, start + count).data,
      score: sliceBatch(score, start, start + count).data,
    };
    if (choosing) await stepOriented(state, learning, chunk, into);
    else {
      const maps = await readOriented(features, layer, chunk, mirrored);
      const options = stepOptions(learning, priors && slicePriors(priors, start, start + count));
      await graphEmStep(maps, state, { ...options, into });
    }
  }
  throwIfAborted(signal);
  const { data } = sums;
  const unsound = data.findIndex((value) => !Number.isFinite(value));
  if (unsound !== -1)
    throw new UnitscopeError(
      'bad-input',
      `layer ${features.layers[layer]!.name} gives sums that are not finite; its activations are too large`,
    );
  const after = updateGraph(state, sums, {
    iteration,
    size: height,
    eta: parameters.eta,
    range: parameters.range * height,
    ...(priors === undefined ? {} : { priorSigma: priors.sigma }),
  });
  state.iteration = iteration;
  state.coord = insideMap(after.coord, height, width);
  state.sigma = after.sigma;
  state.parents = parents;
  state.position = position;
  state.score = score;
  state.strength = strengthOf(sums);
}

/** The parents that this iteration works with: chosen anew, those of before, or none. */
async function parentsOf(
  state: LayerState,
  { features, layer, parameters, upper, signal }: LayerLearning,
  iteration: number,
): Promise<Tensor<Int32Array> | undefined> {
  if (upper === undefined || iteration < 2) return undefined;
  if (!choosesParents(iteration, parameters.parentChoice)) return state.parents;
  const geometry = features.layers[layer]!;
  const found = { geometry, position: state.position, mean: momentsOf(state.position).mean };
  return chooseParents(found, state.score, upper, candidateParents(upper, parameters), parameters, signal);
}

function priorsOf(
  index: Tensor<Int32Array>,
  upper: UpperNodes,
  { features, layer, parameters }: Pick<LayerLearning, 'features' | 'layer' | 'parameters'>,
): GraphPriors {
  const deviation = deviationsOf(upper.position, upper.mean);
  return graphParents(
    { index, deviation, sigma: upper.sigma },
    {
      scale: parameters.parentUnits === 'released' ? 1 : cellRatio(upper.geometry, features.layers[layer]!),
      weight: parameters.parentWeight,
    },
  );
}

function slicePriors({ sigma, offset, weight }: GraphPriors, start: number, end: number): GraphPriors {
  return { sigma, offset: sliceBatch(offset, start, end), weight: sliceBatch(weight, start, end) };
}

export function stepOptions(
  {
    features,
    layer,
    parameters,
    kernel,
  }: Pick<LayerLearning, 'features' | 'layer' | 'parameters' | 'kernel'>,
  priors: GraphPriors | undefined,
): GraphEmStepOptions {
  const { height } = features.layers[layer]!;
  const { range, smoothing, tau } = parameters;
  return {
    ...kernel,
    range: range * height,
    smoothing: smoothing * height,
    tau,
    ...(priors === undefined ? {} : { priors }),
  };
}

/** A step at the top, each picture in the orientation that suits the nodes better; equal ones stay as they are. */
async function stepOriented(
  nodes: GraphNodes,
  learning: LayerLearning,
  chunk: number,
  into: { readonly sums: GraphSums; readonly position: Float32Array; readonly score: Float32Array },
): Promise<void> {
  const { features, layer, parameters, mirrored, signal } = learning;
  const { start, count } = features.chunks[chunk]!;
  const [plain, turned] = [await features.read(layer, chunk, false), await features.read(layer, chunk, true)];
  const options = stepOptions(learning, undefined);
  const priorSigma = 0.15 * features.layers[layer]!.height;
  for (let i = 0; i < count; i++) {
    throwIfAborted(signal);
    // Sums of one picture each, since only those of the better orientation count.
    const both = [plain, turned].map((maps) => graphEmStep(sliceBatch(maps, i, i + 1), nodes, options));
    const [first, second] = await Promise.all(both);
    const [asIs, mirror] = [first!, second!].map((found) =>
      orientationScore(found, 0, nodes, priorSigma, parameters.orientation),
    );
    const flips = mirror! > asIs!;
    mirrored[start + i] = flips ? 1 : 0;
    const better = flips ? second! : first!;
    into.position.set(better.position.data, i * better.position.data.length);
    into.score.set(better.score.data, i * better.score.data.length);
    for (let at = 0; at < into.sums.data.length; at++) into.sums.data[at]! += better.sums.data[at]!;
  }
}

/** A step must not carry a node beyond the map, where nothing would ever bring it back. */
function insideMap(
  { dims, data }: Tensor<Float64Array>,
  height: number,
  width: number,
): Tensor<Float64Array> {
  const most = [height - 1, width - 1] as const;
  return { dims, data: data.map((value, i) => Math.min(Math.max(value, 0), most[(i % 2) as 0 | 1])) };
}

const P = GRAPH_SUMS.indexOf('p');

/** Sums over pictures of prob E, in units of their mean over the nodes. */
function strengthOf({ dims, data }: GraphSums): Tensor<Float64Array> {
  const [filters = 0, nodes = 0] = dims;
  const sums = Float64Array.from(
    { length: filters * nodes },
    (_, node) => data[node * GRAPH_SUMS.length + P]!,
  );
  const mean = sums.reduce((total, value) => total + value, 0) / sums.length;
  return { dims: [filters, nodes], data: mean > 0 ? sums.map((value) => value / mean) : sums };
}
