import type { StateReader, StateValue } from '@unitscope/metrics';
import type { MapGeometry } from './graph.js';
import type { LayerState } from './learn-layer.js';

/** How far the learning of a graph has come. */
export interface LearningState {
  readonly mirrored: Uint8Array;
  /** From the top down: the finished ones, and last the one that is being learned. */
  readonly layers: LayerState[];
}

/** As plain data with arrays, for `encodeState`. */
export function stateOfLearning({ mirrored, layers }: LearningState): StateValue {
  return {
    mirrored,
    layers: layers.map(({ iteration, coord, sigma, parents, position, score, strength }) => ({
      iteration,
      coord: coord.data,
      sigma: sigma.data,
      parents: parents === undefined ? null : { each: parents.dims[2] ?? 0, index: parents.data },
      position: position.data,
      score: score.data,
      strength: strength.data,
    })),
  };
}

/** What `stateOfLearning` saved, of these layers and nodes of each filter. Throws `bad-file` for what does not fit. */
export function learningOfState(
  state: StateReader,
  pictures: number,
  geometries: readonly MapGeometry[],
  nodes: readonly number[],
): LearningState {
  const mirrored = state.get('mirrored').array(Uint8Array, pictures);
  const saved = state.get('layers').list();
  if (saved.length > geometries.length) throw state.get('layers').bad('are more than there are');
  const layers = saved.map((entry, layer): LayerState => {
    const { filters } = geometries[layer]!;
    const each = nodes[layer]!;
    const count = filters * each;
    const parents = entry.get('parents');
    return {
      iteration: entry.get('iteration').count(),
      coord: { dims: [filters, each, 2], data: entry.get('coord').array(Float64Array, 2 * count) },
      sigma: { dims: [filters, each], data: entry.get('sigma').array(Float64Array, count) },
      parents: parents.isNull
        ? undefined
        : parentsOf(parents, filters, each, upperNodes(geometries, nodes, layer)),
      position: {
        dims: [pictures, filters, each, 2],
        data: entry.get('position').array(Float32Array, 2 * pictures * count),
      },
      score: {
        dims: [pictures, filters, each],
        data: entry.get('score').array(Float32Array, pictures * count),
      },
      strength: { dims: [filters, each], data: entry.get('strength').array(Float64Array, count) },
    };
  });
  return { mirrored, layers };
}

function upperNodes(geometries: readonly MapGeometry[], nodes: readonly number[], layer: number): number {
  return (geometries[layer - 1]?.filters ?? 0) * (nodes[layer - 1] ?? 0);
}

function parentsOf(state: StateReader, filters: number, nodes: number, upper: number) {
  const each = state.get('each').count();
  const index = state.get('index').array(Int32Array, filters * nodes * each);
  if (index.some((parent) => parent < 0 || parent >= upper))
    throw state.bad('names a node that is not there');
  return { dims: [filters, nodes, each], data: index };
}
