import {
  type InstabilityProtocol,
  LocationInstability,
  type LocationInstabilityResult,
} from '@unitscope/metrics';
import type { Layer, Model } from '@unitscope/model';
import { type Tensor, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import { SpatialSpread, type SpatialSpreadResult } from './spatial-spread.js';

/** Objects cut out of their pictures, as `streamObjects` of @unitscope/data gives them. */
export interface ObjectsWithLandmarks {
  /** As the network takes them. */
  readonly inputs: Tensor;
  /** `[objects, landmarks, 2]`: y and x in pixels of the input, NaN where a landmark is not seen. */
  readonly landmarks: Tensor<Float64Array>;
  /** Of each object, an index into the categories. */
  readonly categories: readonly number[];
  /** Of each object in the data set. */
  readonly objectNumbers: readonly number[];
}

export interface ReportOptions {
  readonly landmarks: readonly string[];
  readonly categories: readonly string[];
  readonly protocol?: InstabilityProtocol;
  readonly signal?: AbortSignal | undefined;
  /** Called with the objects measured so far. */
  readonly onProgress?: (done: number) => void;
}

export interface InterpretabilityReport {
  readonly layer: string;
  readonly objects: number;
  readonly location: LocationInstabilityResult;
  readonly spread: SpatialSpreadResult;
}

/** Where the units of a layer lie in the network's input. Throws `unsupported` for a layer that has no such place. */
export function placementOf({ input }: Model, { name, dims, receptiveField }: Layer) {
  const [, filters, height, width] = dims ?? [];
  const sizes = input.dims?.slice(2).filter((size) => typeof size === 'number');
  if (receptiveField === undefined || typeof filters !== 'number' || sizes?.length !== 2) {
    throw new UnitscopeError(
      'unsupported',
      `layer ${name} has no maps whose units have a place in a picture of known size; name a convolution`,
      { subject: name },
    );
  }
  const { centre, stride, size } = receptiveField;
  return {
    ...{ filters, height: Number(height), width: Number(width), field: size },
    ...{ origin: centre, step: stride, input: [sizes[0]!, sizes[1]!] as const },
  };
}

/**
 * How interpretable the filters of a layer are: their location instability over objects with landmarks (Eq 1-2 of the
 * survey), and how far their activations spread. The same layer of a network before and after `makeInterpretable` and
 * training has the same name, so two reports compare. Name the convolution, whose maps are those before ReLU and mask.
 *
 * Throws `not-found` for the layer, `unsupported` for one whose units have no place in the picture, `aborted`, and the
 * errors of the metrics.
 */
export async function interpretabilityReport(
  model: Model,
  layer: string,
  batches: Iterable<ObjectsWithLandmarks> | AsyncIterable<ObjectsWithLandmarks>,
  options: ReportOptions,
): Promise<InterpretabilityReport> {
  const { landmarks, categories, protocol, signal, onProgress } = options;
  const found = model.layer(layer);
  const { filters, origin, step, input } = placementOf(model, found);
  const named = protocol === undefined ? {} : { protocol };
  const location = new LocationInstability({ ...named, filters, landmarks, categories, origin, step, input });
  const spread = new SpatialSpread(filters);
  let objects = 0;
  for await (const batch of batches) {
    throwIfAborted(signal);
    if (batch.objectNumbers.length === 0) continue;
    const maps = (await model.activations([layer], batch.inputs, signal === undefined ? {} : { signal })).get(
      layer,
    )!;
    await location.add({
      activations: maps,
      landmarks: batch.landmarks,
      categories: batch.categories,
      numbers: batch.objectNumbers,
    });
    await spread.add(maps);
    objects += batch.objectNumbers.length;
    onProgress?.(objects);
  }
  return { layer: found.name, objects, location: location.result(), spread: spread.result() };
}
