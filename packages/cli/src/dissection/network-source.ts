import { basename } from 'node:path';
import {
  ArrayPool,
  type DataSet,
  type ExampleBatch,
  type ExampleOptions,
  type Preprocessing,
  type RgbPicture,
  restorePicture,
  streamExamples,
} from '@unitscope/data';
import type { Layer, Model } from '@unitscope/model';
import { releaseData, sliceBatch, type Tensor, UnitscopeError } from '@unitscope/tensor';
import { dataRecordOf } from '../data-options.js';
import { inputSizeOf, mapDimsOf } from '../layer-maps.js';
import { readAhead } from '../passes/read-ahead.js';
import type { DissectionSource } from './source.js';

export interface NetworkSourceOptions {
  readonly layer: string;
  readonly preprocessing: Preprocessing;
  /** Of the label maps; by default half the network's input, all of it for a layer of stride 1. */
  readonly labelSize?: readonly [number, number];
  readonly batchSize?: number;
  readonly onError: 'stop' | 'skip';
}

const DEFAULT_BATCH_SIZE = 16;

/** Activations of a layer of a network, over the pictures and labels of a data set. The model is closed with it. */
export function openNetworkSource(
  model: Model,
  dataSet: DataSet,
  options: NetworkSourceOptions,
): DissectionSource {
  const layer = model.layer(options.layer);
  const [units, height, width] = mapDimsOf(layer);
  const input = inputSizeOf(model);
  const { receptiveField: field } = layer;
  // Labels must not be coarser than the cells of the layer.
  const reduction = field === undefined ? 2 : Math.min(2, ...field.stride);
  const [labelHeight, labelWidth] = options.labelSize ?? [
    Math.max(1, Math.round(input.height / reduction)),
    Math.max(1, Math.round(input.width / reduction)),
  ];
  const labelSize = { height: labelHeight, width: labelWidth };
  const pool = new ArrayPool();
  const stream = (numbers: readonly number[], signal: AbortSignal, withLabels: boolean) => {
    const wanted: ExampleOptions = {
      preprocessing: options.preprocessing,
      size: input,
      numbers,
      batchSize: options.batchSize ?? DEFAULT_BATCH_SIZE,
      onError: options.onError,
      signal,
      pool,
      // What cannot be used must be left out of both passes, so that both are over the same pictures.
      ...(withLabels || options.onError === 'skip' ? { labelSize } : {}),
    };
    return streamExamples(dataSet, wanted);
  };
  async function* forward(examples: AsyncIterable<ExampleBatch>, { withPictures, signal }: ForwardOptions) {
    for await (const batch of examples) {
      const activations = await activationsOf(model, layer, batch, units, signal);
      const pictures = withPictures ? picturesOf(batch, options.preprocessing) : [];
      pool.give(batch.inputs.data);
      yield { batch, activations, pictures };
    }
  }
  // While a batch is counted the next one is in the network, and the one after that is decoded.
  const run = (
    numbers: readonly number[],
    signal: AbortSignal,
    { withLabels = false, withPictures = false } = {},
  ) => readAhead(forward(readAhead(stream(numbers, signal, withLabels)), { withPictures, signal }));
  return {
    record: {
      model: { file: basename(model.path ?? ''), sha256: model.sha256 },
      engine: { name: model.engine.name, versions: model.engine.versions },
      layer: layer.name,
      data: dataRecordOf(dataSet),
      preprocessing: { ...options.preprocessing },
      input: [input.height, input.width],
      labelSize: [labelHeight, labelWidth],
    },
    preprocessing: options.preprocessing,
    units,
    count: dataSet.examples.length,
    geometry: {
      cells: [height, width],
      pixels: [labelHeight, labelWidth],
      input: [input.height, input.width],
      ...(field === undefined
        ? {}
        : {
            receptiveField: [
              { size: field.size[0], stride: field.stride[0], offset: field.offset[0] },
              { size: field.size[1], stride: field.stride[1], offset: field.offset[1] },
            ],
          }),
    },
    table: dataSet.table,
    shape: {
      maps: [units, height, width],
      pixelLabels: [dataSet.table.pixelLayers.length, labelHeight, labelWidth],
      imageLabels: dataSet.table.imageLayers.length,
    },
    async *activations(numbers, signal) {
      for await (const { batch, activations } of run(numbers, signal)) {
        yield { numbers: batch.numbers, activations, skipped: batch.skipped };
        releaseData(activations.data);
        pool.give(batch.pixelLabels.data);
      }
    },
    async *labelled(numbers, signal) {
      for await (const { batch, activations } of run(numbers, signal, { withLabels: true })) {
        const { pixelLabels, imageLabels, skipped } = batch;
        yield { numbers: batch.numbers, activations, labels: { pixelLabels, imageLabels }, skipped };
        releaseData(activations.data);
        pool.give(pixelLabels.data);
      }
    },
    async *pictures(numbers, signal) {
      for await (const { batch, activations, pictures } of run(numbers, signal, { withPictures: true }))
        yield { numbers: batch.numbers, activations, pictures, skipped: batch.skipped };
    },
    close: () => model.close(),
  };
}

interface ForwardOptions {
  readonly withPictures: boolean;
  readonly signal: AbortSignal;
}

function picturesOf({ inputs }: ExampleBatch, preprocessing: Preprocessing): RgbPicture[] {
  const [images = 0] = inputs.dims;
  return Array.from({ length: images }, (_, i) =>
    restorePicture(sliceBatch(inputs, i, i + 1), preprocessing),
  );
}

async function activationsOf(
  model: Model,
  layer: Layer,
  batch: ExampleBatch,
  units: number,
  signal: AbortSignal,
): Promise<Tensor> {
  // A batch of which nothing could be used.
  if (batch.numbers.length === 0) return { dims: [0, units, 1, 1], data: new Float32Array(0) };
  const maps = (await model.activations([layer.name], batch.inputs, { signal })).get(layer.name);
  if (maps === undefined) throw new UnitscopeError('not-found', `${layer.name} gave no activations`);
  return maps;
}
