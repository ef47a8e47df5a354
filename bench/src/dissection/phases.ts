import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExampleBatch, openDataSet, preprocessingPreset, streamExamples } from '@unitscope/data';
import type { MapPlacement } from '@unitscope/kernels';
import {
  dissectionParameters,
  encodeState,
  type LabelledActivations,
  type LabelTable,
  placeCells,
  TopPictures,
  UnitCounts,
  UnitThresholds,
} from '@unitscope/metrics';
import { Model } from '@unitscope/model';
import { cutGraph } from '@unitscope/onnx';
import { type Tensor, writeFileAtomic } from '@unitscope/tensor';
import { Forward } from '../forward.js';
import { measure, timed } from '../measure.js';

const BATCH_SIZE = 16;
const TOP = 10;

/** Batches of pictures with everything a dissection makes of them, ready in memory, and its parameters. */
export interface Sample {
  readonly pictures: number;
  readonly batches: readonly { readonly inputs: Tensor; readonly labelled: LabelledActivations }[];
  readonly units: number;
  readonly layer: string;
  readonly placement: MapPlacement;
  readonly table: LabelTable;
  readonly model: Model;
  /** Of the sample alone. */
  readonly thresholds: Float64Array;
  /** The examples once more, from their files. */
  readonly decode: (withLabels: boolean) => AsyncIterable<ExampleBatch>;
}

export const parameters = dissectionParameters();

/** Decodes and runs the first pictures of a data set. The model must be closed by whoever is done with the sample. */
export async function openSample(
  modelPath: string,
  data: string,
  options: { readonly layer: string; readonly pictures: number; readonly threads: number },
): Promise<Sample> {
  const dataSet = await openDataSet(data);
  const model = await Model.load(modelPath, { threads: options.threads });
  const layer = model.layer(options.layer);
  const [, units, ...cells] = (layer.dims ?? []).map(Number);
  const [, , ...input] = (model.input.dims ?? []).map(Number);
  const field = layer.receptiveField;
  const [height, width] = input;
  const [cellRows, cellColumns] = cells;
  if (
    units === undefined ||
    height === undefined ||
    width === undefined ||
    cellRows === undefined ||
    cellColumns === undefined ||
    field === undefined
  )
    throw new Error(`layer ${layer.name} of ${modelPath} gives no maps of a known size and place`);
  const pixels = [Math.round(height / 2), Math.round(width / 2)] as const;
  const placement = placeCells(parameters, {
    cells: [cellRows, cellColumns],
    pixels,
    input: [height, width],
    receptiveField: [
      { size: field.size[0], stride: field.stride[0], offset: field.offset[0] },
      { size: field.size[1], stride: field.stride[1], offset: field.offset[1] },
    ],
  });
  const numbers = Array.from({ length: Math.min(options.pictures, dataSet.examples.length) }, (_, i) => i);
  const decode = (withLabels: boolean) =>
    streamExamples(dataSet, {
      preprocessing: preprocessingPreset('imagenet'),
      size: { height, width },
      numbers,
      batchSize: BATCH_SIZE,
      ...(withLabels ? { labelSize: { height: pixels[0], width: pixels[1] } } : {}),
    });
  const batches: Sample['batches'][number][] = [];
  for await (const { inputs, pixelLabels, imageLabels } of decode(true)) {
    const activations = (await model.activations([layer.name], inputs)).get(layer.name)!;
    batches.push({ inputs, labelled: { activations, pixelLabels, imageLabels } });
  }
  const { table } = dataSet;
  const known = { pictures: numbers.length, batches, units, layer: layer.name, placement, table, model };
  return { ...known, thresholds: (await thresholdsOf({ batches, units })).result(), decode };
}

export async function thresholdsOf({
  batches,
  units,
}: Pick<Sample, 'batches' | 'units'>): Promise<UnitThresholds> {
  const values = batches.reduce((sum, { labelled }) => sum + labelled.activations.data.length, 0);
  const thresholds = UnitThresholds.start({ units, atMost: values / units, parameters });
  for (const { labelled } of batches) await thresholds.add(labelled.activations);
  return thresholds;
}

export async function countsOf({ batches, thresholds, table, placement }: Sample): Promise<UnitCounts> {
  const counts = new UnitCounts({ thresholds, table, placement, parameters });
  for (const { labelled } of batches) await counts.add(labelled);
  return counts;
}

/** Milliseconds a picture of each phase by itself, the others at rest; of `saving`, milliseconds a save. */
export interface PhaseTimes {
  /** ONNX Runtime's forward pass as its users call it, inputs ready. */
  readonly forward: number;
  readonly decoding: number;
  /** What reading and fitting labels adds to it. */
  readonly labels: number;
  readonly thresholds: number;
  readonly topPictures: number;
  readonly counts: number;
  readonly saving: number;
}

/** Medians of interleaved rounds. */
export async function timePhases(sample: Sample, threads: number, rounds: number): Promise<PhaseTimes> {
  const { model, layer, batches, units, pictures, decode } = sample;
  const graph = cutGraph(model.graph, { outputs: [model.layer(layer).value] });
  const forward = await Forward.open(graph, threads);
  const folder = await mkdtemp(join(tmpdir(), 'unitscope-bench-'));
  const drain = async (withLabels: boolean) => {
    for await (const _ of decode(withLabels));
  };
  const rankTop = async () => {
    const top = new TopPictures(units, TOP);
    for (const [i, { labelled }] of batches.entries()) {
      const [images = 0] = labelled.activations.dims;
      await top.add({
        activations: labelled.activations,
        pictures: Array.from({ length: images }, (_, image) => i * BATCH_SIZE + image),
      });
    }
    return top;
  };
  const saved = {
    thresholds: await thresholdsOf(sample),
    top: await rankTop(),
    counts: await countsOf(sample),
  };
  const phases: Record<keyof PhaseTimes, () => Promise<unknown>> = {
    forward: async () => {
      for (const { inputs } of batches) await forward.run(inputs);
    },
    decoding: () => drain(false),
    labels: () => drain(true),
    thresholds: () => thresholdsOf(sample),
    topPictures: rankTop,
    counts: () => countsOf(sample),
    saving: async () => {
      const first = { thresholds: saved.thresholds.toState(), top: saved.top.toState() };
      await writeFileAtomic(join(folder, 'thresholds.npz'), encodeState(first));
      await writeFileAtomic(join(folder, 'counts.npz'), encodeState(saved.counts.toState()));
    },
  };
  try {
    const candidates = Object.entries(phases).map(([name, run]) => ({ name, run: () => timed(run) }));
    const timings = await measure(candidates, rounds, 0);
    const of = (name: keyof PhaseTimes) => timings.find((timing) => timing.name === name)!.median;
    const each = (name: keyof PhaseTimes) => of(name) / pictures;
    return {
      forward: each('forward'),
      decoding: each('decoding'),
      labels: each('labels') - each('decoding'),
      thresholds: each('thresholds'),
      topPictures: each('topPictures'),
      counts: each('counts'),
      // Either pass saves one of the two files.
      saving: of('saving') / 2,
    };
  } finally {
    await forward.release();
    await rm(folder, { recursive: true });
  }
}
