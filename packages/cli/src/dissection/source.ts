import type { Preprocessing, RgbPicture, SkippedExample } from '@unitscope/data';

import type { LabelledActivations, LabelTable, MapGeometry } from '@unitscope/metrics';
import type { Tensor } from '@unitscope/tensor';
import type { Json } from '../passes/identity.js';

/** A part of the pictures of a source, with what a pass asked for. */
export interface ActivationBatch {
  /** Numbers of the pictures in the data set. */
  readonly numbers: readonly number[];
  /** `[n, units, height, width]` */
  readonly activations: Tensor;
  readonly skipped: readonly SkippedExample[];
}

export interface LabelledBatch extends ActivationBatch {
  readonly labels: Omit<LabelledActivations, 'activations'>;
}

export interface PictureBatch extends ActivationBatch {
  /** As the network saw them. */
  readonly pictures: readonly RgbPicture[];
}

/** Dims of one picture's arrays in a batch. */
export interface BatchShape {
  /** [units, height, width] */
  readonly maps: readonly number[];
  /** [layers, label height, label width] */
  readonly pixelLabels: readonly number[];
  /** Labels of the whole picture. */
  readonly imageLabels: number;
}

/** Where activations and labels come from: a network over a data set, or files of arrays. */
export interface DissectionSource {
  /** What it is, for results and to tell whether a saved state belongs to it; the same on every machine. */
  readonly record: { readonly [key: string]: Json };
  /** How pictures become the network's input; left out where there is no network. */
  readonly preprocessing?: Preprocessing;
  readonly units: number;
  /** Pictures in all. */
  readonly count: number;
  readonly geometry: MapGeometry;
  readonly table: LabelTable;
  /** Left out where batches cost no more than reading them from the disk. */
  readonly shape?: BatchShape;
  /** The batches of the pictures with these numbers, in this order. Their arrays are lent until the next is asked for. */
  readonly activations: (numbers: readonly number[], signal: AbortSignal) => AsyncIterable<ActivationBatch>;
  readonly labelled: (numbers: readonly number[], signal: AbortSignal) => AsyncIterable<LabelledBatch>;
  /** Left out where there are no pictures to show. */
  readonly pictures?: (numbers: readonly number[], signal: AbortSignal) => AsyncIterable<PictureBatch>;
  readonly close: () => Promise<void>;
}
