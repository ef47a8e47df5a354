import {
  type DataSet,
  type ObjectBatch,
  type Preprocessing,
  restorePicture,
  type SkippedExample,
  streamObjects,
} from '@unitscope/data';
import { type CollectedSamples, collectTreeSamples, type LabelledBatch } from '@unitscope/disentangling';
import type { Layer, Model } from '@unitscope/model';
import type { Tensor } from '@unitscope/tensor';
import { type Picture, scalePicture } from '@unitscope/visualization';
import { inputSizeOf } from '../layer-maps.js';

type Point = readonly [number, number];

/** The objects of a data set as a tree is learned from them. */
export interface CollectedObjects extends CollectedSamples {
  /** Of each positive object, by its number in the order they came: its picture, small. */
  readonly thumbnails: ReadonlyMap<number, Picture>;
  /** Of each positive object: the middle of what every filter sees where it is strongest, (y, x) in input pixels. */
  readonly centers: readonly (readonly (Point | undefined)[])[];
  /** Of each positive object: where its landmarks are. */
  readonly landmarks: readonly (readonly (Point | undefined)[])[];
  readonly skipped: readonly SkippedExample[];
}

export interface ObjectsOptions {
  readonly model: Model;
  readonly layer: Layer;
  readonly dataSet: DataSet;
  readonly preprocessing: Preprocessing;
  /** An index into the data set's `objectCategories`. */
  readonly category: number;
  readonly target: number;
  readonly batchSize: number;
  readonly limit: number;
  readonly onError: 'stop' | 'skip';
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

const THUMBNAIL = 64;

/** Objects of the category, and of the others as what it is told from, run through the network. */
export async function collectObjects(options: ObjectsOptions): Promise<CollectedObjects> {
  const { model, layer, dataSet, category, target, limit, signal, onProgress } = options;
  const field = layer.receptiveField!;
  const thumbnails = new Map<number, Picture>();
  const centers: (Point | undefined)[][] = [];
  const landmarks: (Point | undefined)[][] = [];
  const skipped: SkippedExample[] = [];
  const count = Math.min(limit, dataSet.examples.length);
  const current: boolean[] = [];
  let objects = 0;
  let pictures = 0;

  const takeObjects = (batch: ObjectBatch): LabelledBatch => {
    const positive = batch.categories.map((own) => own === category);
    const length = batch.inputs.data.length / Math.max(1, positive.length);
    for (const [i, isPositive] of positive.entries()) {
      if (isPositive) {
        const data = batch.inputs.data.subarray(i * length, (i + 1) * length);
        const whole = restorePicture(
          { dims: [1, ...batch.inputs.dims.slice(1)], data },
          options.preprocessing,
        );
        const small = scalePicture(whole, { width: THUMBNAIL, height: THUMBNAIL }, 'bilinear');
        thumbnails.set(objects + i, small);
        landmarks.push(pointsOf(batch.landmarks, i));
      }
    }
    objects += positive.length;
    current.splice(0, current.length, ...positive);
    return { batch: batch.inputs, positive };
  };
  const takeMaps = (maps: Tensor) => {
    for (const [i, isPositive] of current.entries()) {
      if (isPositive) centers.push(centersOf(maps, i, field.centre, field.stride));
    }
  };
  async function* batches() {
    const stream = streamObjects(dataSet, {
      preprocessing: options.preprocessing,
      size: inputSizeOf(model),
      numbers: Array.from({ length: count }, (_, number) => number),
      batchSize: options.batchSize,
      onError: options.onError,
      signal,
    });
    for await (const batch of stream) {
      skipped.push(...batch.skipped);
      pictures += batch.numbers.length + batch.skipped.length;
      if (batch.categories.length > 0) yield takeObjects(batch);
      onProgress(pictures, count);
    }
  }
  const collected = await collectTreeSamples(model, batches(), {
    layer: layer.name,
    target,
    signal,
    onMaps: takeMaps,
  });
  return { ...collected, thumbnails, centers, landmarks, skipped };
}

function pointsOf({ dims, data }: Tensor<Float64Array>, object: number): (Point | undefined)[] {
  const [, count = 0] = dims;
  return Array.from({ length: count }, (_, i) => {
    const at = 2 * (object * count + i);
    return Number.isNaN(data[at]) ? undefined : [data[at]!, data[at + 1]!];
  });
}

function centersOf(
  { dims, data }: Tensor,
  picture: number,
  centre: Point,
  stride: Point,
): (Point | undefined)[] {
  const [, filters = 0, height = 0, width = 0] = dims;
  const plane = height * width;
  return Array.from({ length: filters }, (_, d) => {
    const from = (picture * filters + d) * plane;
    let best = 0;
    for (let i = 1; i < plane; i++) if (data[from + i]! > data[from + best]!) best = i;
    if (!(data[from + best]! > 0)) return undefined;
    return [centre[0] + stride[0] * Math.floor(best / width), centre[1] + stride[1] * (best % width)];
  });
}
