import { graphEmStep, graphParents, type KernelOptions } from '@unitscope/kernels';
import type { Model } from '@unitscope/model';
import { sameDims, type Tensor, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import { selectPictures } from './features.js';
import { type ExplanatoryGraph, type NodeName, pixelOf } from './graph.js';
import { mirrorBatch, prepareMaps } from './maps.js';
import { type Found, orientationScore } from './orientation.js';
import { cellRatio, deviationsOf } from './parents.js';

/** Where the nodes of a layer are in pictures. */
export interface ParsedLayer extends Found {
  /** `[pictures, filters, nodes, 2]`: row and column in pixels of the input, in the picture as it was given. */
  readonly pixel: Tensor<Float64Array>;
}

/** The inference of a graph in pictures. */
export interface GraphParse {
  /** Of each picture, 1 where its mirror image suited the graph better; cells are then those of the mirror image. */
  readonly mirrored: Uint8Array;
  /** As the graph's, from the top down. */
  readonly layers: readonly ParsedLayer[];
}

export interface ParseOptions {
  readonly kernel?: KernelOptions;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where every node of a graph is in each picture of a batch, and how strongly, inferred from the top down.
 *
 * @param batch `[pictures, channels, height, width]` as the network takes it. Throws `wrong-use` for a network without
 *   the graph's layers, and as `Model.activations`.
 */
export async function parsePictures(
  model: Model,
  graph: ExplanatoryGraph,
  batch: Tensor,
  options: ParseOptions = {},
): Promise<GraphParse> {
  const { signal } = options;
  const names = graph.layers.map(({ name }) => name);
  const run = async (inputs: Tensor) => {
    const maps = await model.activations(names, inputs, signal === undefined ? {} : { signal });
    return names.map((name) => maps.get(name)!);
  };
  const plain = await run(batch);
  return parseMaps(graph, plain, graph.parameters.flip ? await run(mirrorBatch(batch)) : undefined, options);
}

/**
 * As `parsePictures`, from activations that are there.
 *
 * @param plain of each layer from the top down, `[pictures, filters, height, width]`, before the ReLU
 * @param turned the same of the mirror images; without them no picture is mirrored
 */
export async function parseMaps(
  graph: ExplanatoryGraph,
  plain: readonly Tensor[],
  turned: readonly Tensor[] | undefined,
  { kernel = {}, signal }: ParseOptions = {},
): Promise<GraphParse> {
  const { parameters } = graph;
  const [pictures = 0] = plain[0]?.dims ?? [];
  requireMaps(graph, plain, pictures);
  if (turned !== undefined) requireMaps(graph, turned, pictures);
  let mirrored = new Uint8Array(pictures);
  const layers: ParsedLayer[] = [];
  for (const [i, layer] of graph.layers.entries()) {
    throwIfAborted(signal);
    const above = layers[i - 1];
    const upper = graph.layers[i - 1];
    const priors =
      layer.parents === undefined || above === undefined || upper === undefined
        ? undefined
        : graphParents(
            {
              index: layer.parents,
              deviation: deviationsOf(above.position, upper.mean),
              sigma: upper.sigma,
            },
            {
              scale: parameters.parentUnits === 'released' ? 1 : cellRatio(upper, layer),
              weight: parameters.parentWeight,
            },
          );
    const step = (maps: Tensor) =>
      graphEmStep(prepareMaps(maps, layer.scale, parameters), layer, {
        ...kernel,
        range: parameters.range * layer.height,
        smoothing: parameters.smoothing * layer.height,
        tau: parameters.tau,
        ...(priors === undefined ? {} : { priors }),
      });
    let found: Found;
    if (i === 0 && turned !== undefined) {
      const [first, second] = [await step(plain[0]!), await step(turned[0]!)];
      const sigma = 0.15 * layer.height;
      mirrored = Uint8Array.from(mirrored, (_, picture) => {
        const of = (each: Found) => orientationScore(each, picture, layer, sigma, parameters.orientation);
        return of(second) > of(first) ? 1 : 0;
      });
      found = {
        position: selectPictures(first.position, second.position, mirrored),
        score: selectPictures(first.score, second.score, mirrored),
      };
    } else {
      const { position, score } = await step(
        turned === undefined ? plain[i]! : selectPictures(plain[i]!, turned[i]!, mirrored),
      );
      found = { position, score };
    }
    layers.push({ ...found, pixel: pixelsOf(found.position, layer, graph.input, mirrored) });
  }
  return { mirrored, layers };
}

/**
 * The nodes of a layer that are in a picture: the `share` of them that score highest, from the highest down. The paper
 * takes 10 %. Those of score 0 never are.
 */
export function activeNodes(
  { layers }: GraphParse,
  picture: number,
  layer: number,
  share = 0.1,
): (NodeName & { readonly score: number })[] {
  if (!(share > 0 && share <= 1))
    throw new UnitscopeError('wrong-use', `share must be above 0 and at most 1, it is ${share}`);
  const { score } = layers[layer]!;
  const [, filters = 0, nodes = 0] = score.dims;
  const count = filters * nodes;
  const own = score.data.subarray(picture * count, (picture + 1) * count);
  return Array.from(own.keys())
    .filter((node) => own[node]! > 0)
    .sort((a, b) => own[b]! - own[a]! || a - b)
    .slice(0, Math.ceil(share * count))
    .map((node) => ({ layer, filter: Math.floor(node / nodes), node: node % nodes, score: own[node]! }));
}

function pixelsOf(
  position: Tensor,
  layer: Parameters<typeof pixelOf>[0],
  [, width]: readonly [number, number],
  mirrored: Uint8Array,
): Tensor<Float64Array> {
  const data = new Float64Array(position.data.length);
  const each = data.length / mirrored.length;
  for (let i = 0; i < data.length; i += 2) {
    const [y, x] = pixelOf(layer, position.data[i]!, position.data[i + 1]!);
    data[i] = y;
    data[i + 1] = mirrored[Math.floor(i / each)] === 1 ? width - 1 - x : x;
  }
  return { dims: position.dims, data };
}

function requireMaps({ layers }: ExplanatoryGraph, maps: readonly Tensor[], pictures: number): void {
  for (const [i, { name, filters, height, width }] of layers.entries()) {
    const dims = maps[i]?.dims ?? [];
    const wanted = [pictures, filters, height, width];
    if (!sameDims(dims, wanted)) {
      throw new UnitscopeError(
        'wrong-use',
        `layer ${name} of the graph has maps [${wanted.join(', ')}], the network gives [${dims.join(', ')}]; parse with the network it was learned from`,
        { subject: name },
      );
    }
  }
}
