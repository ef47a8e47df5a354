import {
  type Detections,
  type ExplanatoryGraph,
  joinDetections,
  learnPartVotes,
  locateParts,
  mirrorBatch,
  nodeDetections,
  parseMaps,
  pixelOf,
} from '@unitscope/disentangling';
import { argmaxMaps, type KernelOptions } from '@unitscope/kernels';
import { positionInstability } from '@unitscope/metrics';
import type { Model } from '@unitscope/model';
import { sliceBatch, type Tensor, UnitscopeError } from '@unitscope/tensor';
import { type GraphPictures, streamPictures } from './source.js';

/** Nodes and raw filters where they were found in objects, and the objects' landmarks. */
export interface Sightings {
  readonly landmarkNames: readonly string[];
  readonly landmarks: Tensor<Float64Array>;
  /** Of every layer from the top down. */
  readonly nodes: readonly Detections[];
  readonly filters: readonly Detections[];
  /** All layers' together. */
  readonly allNodes: Detections;
}

/** Looks for a graph's nodes, and for the largest activations of its layers' filters, in all objects. */
export async function sight(
  model: Model,
  graph: ExplanatoryGraph,
  pictures: GraphPictures,
  {
    kernel,
    signal,
    onProgress,
  }: {
    readonly kernel: KernelOptions;
    readonly signal: AbortSignal;
    readonly onProgress: (done: number) => void;
  },
): Promise<Sightings> {
  const names = graph.layers.map(({ name }) => name);
  const parts: { nodes: Detections; filters: Detections[]; landmarks: Tensor<Float64Array> }[] = [];
  for await (const { inputs, landmarks, done } of streamPictures(pictures, 0, signal)) {
    if (inputs.dims[0] !== 0) {
      const run = async (batch: Tensor) => {
        const maps = await model.activations(names, batch, { signal });
        return names.map((name) => maps.get(name)!);
      };
      const plain = await run(inputs);
      const turned = graph.parameters.flip ? await run(mirrorBatch(inputs)) : undefined;
      const parse = await parseMaps(graph, plain, turned, { kernel, signal });
      const filters = await Promise.all(plain.map((maps, i) => filterDetections(maps, graph, i)));
      parts.push({ nodes: nodeDetections(parse, graph), filters, landmarks });
    }
    onProgress(done);
  }
  if (parts.length === 0)
    throw new UnitscopeError(
      'bad-input',
      `${pictures.dataSet.path} has no object of 50 x 50 pixels or more with a landmark that can be seen`,
    );
  const allNodes = joinDetections(parts.map(({ nodes }) => nodes));
  let start = 0;
  const nodes = graph.layers.map(({ filters, nodes: each }) => {
    start += filters * each;
    return columns(allNodes, start - filters * each, start);
  });
  const landmarks = parts.flatMap((part) => Array.from(part.landmarks.data));
  const { landmarkNames } = pictures.dataSet;
  return {
    landmarkNames,
    landmarks: {
      dims: [allNodes.mirrored.length, landmarkNames.length, 2],
      data: Float64Array.from(landmarks),
    },
    nodes,
    filters: graph.layers.map((_, i) => joinDetections(parts.map(({ filters }) => filters[i]!))),
    allNodes,
  };
}

async function filterDetections(maps: Tensor, graph: ExplanatoryGraph, layer: number): Promise<Detections> {
  const own = graph.layers[layer]!;
  const { index, value } = await argmaxMaps(maps);
  const [pictures = 0, filters = 0] = maps.dims;
  const position = Float64Array.from(
    Array.from(index.data).flatMap((cell) => pixelOf(own, Math.floor(cell / own.width), cell % own.width)),
  );
  return {
    position: { dims: [pictures, filters, 2], data: position },
    score: { dims: [pictures, filters], data: value.data },
    mirrored: new Uint8Array(pictures),
  };
}

/** The patterns from `start` to `end`. */
function columns({ position, score, mirrored }: Detections, start: number, end: number): Detections {
  const [pictures = 0, patterns = 0] = score.dims;
  const count = end - start;
  const places = new Float64Array(pictures * count * 2);
  const scores = new Float32Array(pictures * count);
  for (let picture = 0; picture < pictures; picture++) {
    const from = picture * patterns + start;
    places.set(position.data.subarray(2 * from, 2 * (from + count)), 2 * picture * count);
    scores.set(score.data.subarray(from, from + count), picture * count);
  }
  return {
    position: { dims: [pictures, count, 2], data: places },
    score: { dims: [pictures, count], data: scores },
    mirrored,
  };
}

/** The same patterns, each always at its mean place, mirrored with the picture: what steadiness alone is worth. */
function stillDetections({ position, score, mirrored }: Detections, width: number): Detections {
  const [pictures = 0, patterns = 0] = score.dims;
  const turned = (picture: number, x: number) => (mirrored[picture] === 1 ? width - 1 - x : x);
  const data = new Float64Array(position.data.length);
  for (let pattern = 0; pattern < patterns; pattern++) {
    let [y, x] = [0, 0];
    for (let picture = 0; picture < pictures; picture++) {
      const at = 2 * (picture * patterns + pattern);
      y += position.data[at]! / pictures;
      x += turned(picture, position.data[at + 1]!) / pictures;
    }
    for (let picture = 0; picture < pictures; picture++)
      data.set([y, turned(picture, x)], 2 * (picture * patterns + pattern));
  }
  return { position: { dims: position.dims, data }, score, mirrored };
}

/**
 * Location instability of nodes, of raw filters, and of places that do not move, of each layer, by the explanatory
 * graph's protocol. In pictures that are cut to the thing, a place that does not move is steady already: what a node is
 * worth is how much steadier it is.
 */
export function measureInstability(
  { nodes, filters, landmarks }: Sightings,
  { layers, input }: ExplanatoryGraph,
  seed: number,
) {
  const of = ({ position, score }: Detections) => {
    const {
      instability,
      interval,
      landmarks: each,
    } = positionInstability({ position, score, landmarks, input }, { seed });
    return { instability, interval, landmarks: each };
  };
  const measured = layers.map(({ name }, i) => ({
    layer: name,
    nodes: of(nodes[i]!),
    filters: of(filters[i]!),
    still: of(stillDetections(nodes[i]!, input[1])),
  }));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    layers: measured,
    nodes: mean(measured.map((each) => each.nodes.instability)),
    filters: mean(measured.map((each) => each.filters.instability)),
    still: mean(measured.map((each) => each.still.instability)),
  };
}

/** Part localisation from the first `shots` objects, judged on the others; beside it, their mean place for all. */
export function measureLocalisation(
  { allNodes, filters, landmarks, landmarkNames }: Sightings,
  { input }: ExplanatoryGraph,
  shots: number,
) {
  const objects = allNodes.mirrored.length;
  if (shots >= objects)
    throw new UnitscopeError('wrong-use', `--shots ${shots} leaves none of the ${objects} objects to judge`);
  const of = (detections: Detections) => {
    const few = {
      position: sliceBatch(detections.position, 0, shots),
      score: sliceBatch(detections.score, 0, shots),
      mirrored: detections.mirrored.subarray(0, shots),
    };
    const votes = learnPartVotes(few, sliceBatch(landmarks, 0, shots), input);
    return errorsOf(locateParts(votes, detections), landmarks, shots, Math.hypot(...input));
  };
  const byNodes = of(allNodes);
  // All filters of all layers vote, as all nodes do.
  const byFilters = of(joinPatterns(filters));
  const byMean = errorsOf(meanPlace(landmarks, shots), landmarks, shots, Math.hypot(...input));
  return {
    shots,
    objects: objects - shots,
    landmarks: landmarkNames.map((name, k) => ({
      name,
      nodes: byNodes[k]!,
      filters: byFilters[k]!,
      still: byMean[k]!,
    })),
  };
}

/** Every landmark, in every object, at its mean place in the first ones where it is seen. */
function meanPlace(landmarks: Tensor<Float64Array>, shots: number): Tensor<Float64Array> {
  const [objects = 0, count = 0] = landmarks.dims;
  const each = 2 * count;
  const mean = Array.from({ length: each }, (_, i) => {
    const seen = Array.from({ length: shots }, (__, shot) => landmarks.data[shot * each + i]!).filter(
      (value) => !Number.isNaN(value),
    );
    return seen.reduce((sum, value) => sum + value, 0) / seen.length;
  });
  return {
    dims: landmarks.dims,
    data: Float64Array.from({ length: objects * each }, (_, i) => mean[i % each]!),
  };
}

/** Patterns of several kinds in the same pictures. A score counts in units of the mean of its kind. */
function joinPatterns(kinds: readonly Detections[]): Detections {
  const pictures = kinds[0]?.mirrored.length ?? 0;
  const total = kinds.reduce((sum, { score }) => sum + score.dims[1]!, 0);
  const position = new Float64Array(pictures * total * 2);
  const score = new Float32Array(pictures * total);
  let start = 0;
  for (const kind of kinds) {
    const count = kind.score.dims[1]!;
    const positive = kind.score.data.map((value) => Math.max(0, value));
    const unit = positive.reduce((sum, value) => sum + value, 0) / positive.length || 1;
    for (let picture = 0; picture < pictures; picture++) {
      const from = picture * count;
      const to = picture * total + start;
      position.set(kind.position.data.subarray(2 * from, 2 * (from + count)), 2 * to);
      for (let i = 0; i < count; i++) score[to + i] = positive[from + i]! / unit;
    }
    start += count;
  }
  return {
    position: { dims: [pictures, total, 2], data: position },
    score: { dims: [pictures, total], data: score },
    mirrored: new Uint8Array(pictures),
  };
}

/** Of each landmark the mean distance from where it was put, in diagonals; NaN where it was never located. */
function errorsOf(
  located: Tensor<Float64Array>,
  landmarks: Tensor<Float64Array>,
  shots: number,
  diagonal: number,
): number[] {
  const [objects = 0, count = 0] = landmarks.dims;
  return Array.from({ length: count }, (_, k) => {
    const distances: number[] = [];
    for (let object = shots; object < objects; object++) {
      const at = 2 * (object * count + k);
      const distance = Math.hypot(
        located.data[at]! - landmarks.data[at]!,
        located.data[at + 1]! - landmarks.data[at + 1]!,
      );
      if (!Number.isNaN(distance)) distances.push(distance / diagonal);
    }
    return distances.reduce((sum, value) => sum + value, 0) / distances.length;
  });
}
