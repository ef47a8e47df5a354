import { concatBatch, sliceBatch, type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { MapGeometry } from './graph.js';

/** Pictures that are read at a time. */
export interface Chunk {
  readonly start: number;
  readonly count: number;
}

/** A layer of which a graph can be learned: where its maps lie, and what they were divided by. */
export interface FeatureLayer extends MapGeometry {
  /** `[filters, height, width]`, see `PlaceDeviations`. */
  readonly scale: Tensor;
}

/** Prepared maps (`prepareMaps`) of several layers over many pictures, read a chunk at a time. */
export interface Features {
  /** Height and width of the network's input. */
  readonly input: readonly [number, number];
  /** From the top down. */
  readonly layers: readonly FeatureLayer[];
  readonly pictures: number;
  /** In order, without gaps. */
  readonly chunks: readonly Chunk[];
  /** Whether the mirror images' maps are there. */
  readonly mirrored: boolean;
  /** `[count, filters, height, width]` of a chunk, of the pictures themselves or their mirror images. */
  readonly read: (layer: number, chunk: number, mirrored: boolean) => Promise<Tensor>;
}

/** Features that are small enough to be held: prepared maps of each layer, `[pictures, filters, height, width]`. */
export function featuresInMemory(
  input: readonly [number, number],
  layers: readonly (FeatureLayer & { readonly maps: Tensor; readonly mirroredMaps?: Tensor })[],
): Features {
  const pictures = layers[0]?.maps.dims[0] ?? 0;
  const wrong = layers.find(
    ({ maps, mirroredMaps }) =>
      maps.dims[0] !== pictures ||
      (mirroredMaps !== undefined && mirroredMaps.dims.join() !== maps.dims.join()),
  );
  if (wrong !== undefined)
    throw new UnitscopeError('bad-input', `layer ${wrong.name} has maps of other pictures than the first`);
  return {
    input,
    layers,
    pictures,
    chunks: [{ start: 0, count: pictures }],
    mirrored: layers.every(({ mirroredMaps }) => mirroredMaps !== undefined),
    read: async (layer, _, mirrored) => {
      const { maps, mirroredMaps, name } = layers[layer]!;
      const found = mirrored ? mirroredMaps : maps;
      if (found === undefined)
        throw new UnitscopeError('wrong-use', `layer ${name} has no maps of mirrored pictures`);
      return found;
    },
  };
}

/** The maps of a chunk, each picture in its orientation: 1 in `mirrored` takes its mirror image. */
export async function readOriented(
  features: Features,
  layer: number,
  chunk: number,
  mirrored: Uint8Array,
): Promise<Tensor> {
  const { start, count } = features.chunks[chunk]!;
  const wanted = mirrored.subarray(start, start + count);
  if (wanted.every((flag) => flag === 0)) return features.read(layer, chunk, false);
  const turned = await features.read(layer, chunk, true);
  if (wanted.every((flag) => flag === 1)) return turned;
  const plain = await features.read(layer, chunk, false);
  return selectPictures(plain, turned, wanted);
}

/** Of two batches of the same pictures, from the second those whose flag is 1. */
export function selectPictures(plain: Tensor, turned: Tensor, flags: Uint8Array): Tensor {
  return concatBatch(Array.from(flags, (flag, i) => sliceBatch(flag === 1 ? turned : plain, i, i + 1)));
}
