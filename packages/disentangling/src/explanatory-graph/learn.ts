import { readFile } from 'node:fs/promises';
import type { KernelOptions } from '@unitscope/kernels';
import { decodeState, encodeState } from '@unitscope/metrics';
import { reasonOf, type Tensor, throwIfAborted, UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import type { Features } from './features.js';
import type { ExplanatoryGraph, GraphLayer, TopOfNodes } from './graph.js';
import { iterateLayer, type LayerState, startLayer } from './learn-layer.js';
import { type LearningState, learningOfState, stateOfLearning } from './learning-state.js';
import { type GraphParameters, graphParameters, nodesPerFilter } from './parameters.js';
import { momentsOf, type UpperNodes } from './parents.js';

export interface GraphProgress {
  /** Iterations done and to do, over all layers. */
  readonly done: number;
  readonly total: number;
  /** The layer of the iteration that was done last. */
  readonly layer: string;
  readonly iteration: number;
  /** The largest distance that a node moved in it, in cells. */
  readonly moved: number;
}

export interface LearnGraphOptions {
  readonly parameters?: Partial<GraphParameters>;
  readonly kernel?: KernelOptions;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: GraphProgress) => void;
  /**
   * A file that keeps how far the learning has come, and what of: with the same identity it goes on from there, to the
   * same bits as if it had never stopped.
   */
  readonly state?: { readonly path: string; readonly identity: string };
}

// A save takes as long as a few iterations of a small layer.
const SAVE_EVERY_MS = 5000;

/**
 * Learns the explanatory graph of several layers (Zhang et al., arXiv:1708.01785): layer by layer from the top down, each
 * filter's nodes by the EM-like step, held together from the second iteration on by parents in the layer above. See
 * `GraphParameters` for what differs from the authors' code, and `graphEmStep`, `graphParents` and `updateGraph` of
 * `@unitscope/kernels` for the formulas. The same features and seed give the same graph, bit for bit.
 *
 * Throws `wrong-use` for parameters that cannot be, `bad-input` for fewer than two pictures or a layer that none activates,
 * `aborted`, and `wrong-use` or `bad-file` for a state of another learning or a damaged one.
 */
export async function learnExplanatoryGraph(
  features: Features,
  { kernel = {}, signal, onProgress, state: saved, ...options }: LearnGraphOptions = {},
): Promise<ExplanatoryGraph> {
  const parameters = graphParameters(options.parameters);
  requireFeatures(features, parameters);
  const nodes = features.layers.map(({ height, width }, layer) =>
    nodesPerFilter([height, width], parameters, layer),
  );
  const dead = await Promise.all(features.layers.map((_, layer) => deadFilters(features, layer, signal)));
  const learning = await openState(features, nodes, saved);
  const total = features.layers.length * parameters.iterations;
  const finished: UpperNodes[] = [];
  let savedAt = performance.now();
  let isNews = false;
  const save = async () => {
    if (saved === undefined || !isNews) return;
    const value = { identity: saved.identity, learning: stateOfLearning(learning) };
    await writeFileAtomic(saved.path, encodeState(value));
    isNews = false;
    savedAt = performance.now();
  };
  try {
    for (const [layer, geometry] of features.layers.entries()) {
      learning.layers[layer] ??= startLayer(geometry, nodes[layer]!, features.pictures, parameters, layer);
      const current = learning.layers[layer];
      while (current.iteration < parameters.iterations) {
        throwIfAborted(signal);
        const before = current.coord.data;
        await iterateLayer(current, {
          features,
          layer,
          parameters,
          upper: finished.at(-1),
          mirrored: learning.mirrored,
          kernel,
          signal,
        });
        isNews = true;
        onProgress?.({
          done: layer * parameters.iterations + current.iteration,
          total,
          layer: geometry.name,
          iteration: current.iteration,
          moved: largestMove(before, current.coord.data),
        });
        if (performance.now() - savedAt >= SAVE_EVERY_MS) await save();
      }
      finished.push(upperOf(current, features, layer));
    }
  } finally {
    // The state changes at the end of an iteration only, the orientations of an interrupted one apart: the next one
    // chooses them anew.
    await save();
  }
  const layers = learning.layers.map((state, layer) =>
    layerOf(state, finished[layer]!, features, layer, dead[layer]!, parameters),
  );
  const { input, pictures } = features;
  return { input, pictures, mirrored: learning.mirrored, parameters, layers };
}

function requireFeatures({ layers, pictures, mirrored }: Features, { flip, density }: GraphParameters): void {
  const refuse = (code: 'wrong-use' | 'bad-input', message: string) => new UnitscopeError(code, message);
  if (layers.length === 0) throw refuse('wrong-use', 'an explanatory graph needs at least one layer');
  if (pictures < 2)
    throw refuse(
      'bad-input',
      `an explanatory graph is learned from two pictures or more, there are ${pictures}`,
    );
  if (flip && !mirrored)
    throw refuse('wrong-use', 'the features have no mirrored pictures; prepare them, or learn without flip');
  if (density !== undefined && density.length !== layers.length)
    throw refuse(
      'wrong-use',
      `there are ${density.length} densities for ${layers.length} layers; give one for each`,
    );
  const sizes = layers.map(({ stride }) => stride[0]);
  const wrong = sizes.findIndex((stride, i) => i > 0 && stride > sizes[i - 1]!);
  if (wrong !== -1) {
    throw refuse(
      'wrong-use',
      `layer ${layers[wrong]!.name} is coarser than ${layers[wrong - 1]!.name} before it; name the layers from the top of the network down`,
    );
  }
}

/** Filters that none of the pictures activates, in neither orientation that is read. */
async function deadFilters(
  features: Features,
  layer: number,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const { filters, height, width } = features.layers[layer]!;
  const isActive = new Uint8Array(filters);
  const cells = height * width;
  for (const chunk of features.chunks.keys()) {
    throwIfAborted(signal);
    const { data } = await features.read(layer, chunk, false);
    for (let map = 0; map < data.length / cells; map++) {
      if (
        isActive[map % filters] === 0 &&
        data.subarray(map * cells, (map + 1) * cells).some((value) => value > 0)
      )
        isActive[map % filters] = 1;
    }
  }
  return [...isActive.keys()].filter((filter) => isActive[filter] === 0);
}

async function openState(
  features: Features,
  nodes: readonly number[],
  saved: LearnGraphOptions['state'],
): Promise<LearningState> {
  const fresh = { mirrored: new Uint8Array(features.pictures), layers: [] };
  if (saved === undefined) return fresh;
  const bytes = await readFile(saved.path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new UnitscopeError('bad-file', `cannot read ${saved.path}: ${reasonOf(cause)}`, {
      subject: saved.path,
      cause,
    });
  });
  if (bytes === undefined) return fresh;
  const state = decodeState(bytes, saved.path);
  if (state.get('identity').string() !== saved.identity) {
    throw new UnitscopeError(
      'wrong-use',
      `${saved.path} belongs to another graph; choose another folder, or learn it with the options of before`,
      { subject: saved.path },
    );
  }
  return learningOfState(state.get('learning'), features.pictures, features.layers, nodes);
}

function largestMove(before: Float64Array, after: Float64Array): number {
  let most = 0;
  for (let i = 0; i < after.length; i += 2)
    most = Math.max(most, Math.hypot(after[i]! - before[i]!, after[i + 1]! - before[i + 1]!));
  return most;
}

function upperOf({ position, sigma, strength }: LayerState, features: Features, layer: number): UpperNodes {
  return { geometry: features.layers[layer]!, position, ...momentsOf(position), sigma, strength };
}

function layerOf(
  { coord, sigma, strength, parents, position, score }: LayerState,
  { mean, variance }: UpperNodes,
  features: Features,
  layer: number,
  dead: readonly number[],
  { topPictures }: GraphParameters,
): GraphLayer {
  const { name, filters, height, width, stride, centre, scale } = features.layers[layer]!;
  return {
    name,
    filters,
    height,
    width,
    stride,
    centre,
    nodes: sigma.dims[1]!,
    scale,
    coord,
    sigma,
    mean,
    variance,
    strength,
    parents,
    top: topOf(position, score, Math.min(topPictures, features.pictures)),
    deadFilters: dead,
  };
}

/** Of every node the pictures of its highest scores; of equal ones the first. */
function topOf(position: Tensor, score: Tensor, keep: number): TopOfNodes {
  const [pictures = 0, filters = 0, nodes = 0] = score.dims;
  const count = filters * nodes;
  const picture = new Int32Array(count * keep);
  const place = new Float32Array(count * keep * 2);
  const value = new Float32Array(count * keep);
  for (let node = 0; node < count; node++) {
    const order = Array.from({ length: pictures }, (_, i) => i);
    const scoreIn = (i: number) => score.data[i * count + node]!;
    order.sort((a, b) => scoreIn(b) - scoreIn(a) || a - b);
    for (let rank = 0; rank < keep; rank++) {
      const at = order[rank]! * count + node;
      picture[node * keep + rank] = order[rank]!;
      value[node * keep + rank] = score.data[at]!;
      place.set(position.data.subarray(2 * at, 2 * at + 2), 2 * (node * keep + rank));
    }
  }
  return {
    picture: { dims: [filters, nodes, keep], data: picture },
    position: { dims: [filters, nodes, keep, 2], data: place },
    score: { dims: [filters, nodes, keep], data: value },
  };
}
