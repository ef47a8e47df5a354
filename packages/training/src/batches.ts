import { type Augmentation, augment } from './augmentation.js';
import type { Samples } from './samples.js';
import type { TrainingBatch } from './trainer.js';

export interface BatchOptions {
  readonly batchSize: number;
  /** Numbers of the samples, in order. */
  readonly order: readonly number[];
  /** The batch to begin with, from 0. */
  readonly first?: number;
  readonly augmentation?: Augmentation;
  readonly seed?: number;
  readonly epoch?: number;
  /** The weight of each category in the loss. */
  readonly weights?: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

export interface LoadedBatch extends TrainingBatch {
  readonly labels: readonly number[];
}

/**
 * The batches of an epoch; the next one is read while the one before is used. Two arrays take turns, so a batch is good
 * until the next but one is asked for.
 */
export async function* streamBatches(
  samples: Samples,
  options: BatchOptions,
): AsyncGenerator<LoadedBatch, void, undefined> {
  const { batchSize, order, first = 0 } = options;
  const batches = Math.ceil(order.length / batchSize);
  const size = samples.dims[0] * samples.dims[1] * samples.dims[2];
  const arrays = [0, 1].map(() => new Float32Array(Math.min(batchSize, order.length) * size));
  const load = (batch: number) => {
    const numbers = order.slice(batch * batchSize, (batch + 1) * batchSize);
    const loading = readBatch(samples, numbers, arrays[batch % 2]!, options);
    // Whoever awaits it sees the error; until then it must not count as unhandled.
    loading.catch(() => {});
    return loading;
  };
  let next = first < batches ? load(first) : undefined;
  for (let batch = first; batch < batches; batch++) {
    const current = await next!;
    next = batch + 1 < batches ? load(batch + 1) : undefined;
    yield current;
  }
}

async function readBatch(
  samples: Samples,
  numbers: readonly number[],
  array: Float32Array,
  { augmentation = {}, seed = 0, epoch = 0, weights, signal }: BatchOptions,
): Promise<LoadedBatch> {
  const size = samples.dims[0] * samples.dims[1] * samples.dims[2];
  await Promise.all(
    numbers.map(async (index, i) => {
      const place = array.subarray(i * size, (i + 1) * size);
      await samples.read(index, place, signal);
      augment(place, samples.dims, augmentation, { seed, epoch, index });
    }),
  );
  const labels = numbers.map((index) => samples.labels[index]!);
  return {
    inputs: { dims: [numbers.length, ...samples.dims], data: array.subarray(0, numbers.length * size) },
    labels,
    ...(weights === undefined ? {} : { weights: labels.map((label) => weights[label]!) }),
  };
}

/** Weights that make every category count the same, on average 1. */
export function balancedWeights({ categories, labels }: Samples): number[] {
  const counts = categories.map((_, category) => labels.filter((label) => label === category).length);
  return counts.map((count) => labels.length / (categories.length * count));
}
