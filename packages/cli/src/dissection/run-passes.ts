import { enlargeMaps, placeCells } from '@unitscope/metrics';
import { numbersOf } from './identity.js';
import { type CountPass, type Pass, saveCounts, saveThresholds, type ThresholdPass } from './saved-pass.js';
import type { ActivationBatch, DissectionSource } from './source.js';

export interface PassOptions {
  /** Where the state is saved now and then, and at the end. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

// A killed run loses the work since its last save; a save costs as much as a few pictures.
const SAVE_EVERY_MS = 5000;

/** Goes on with the first pass to its end. */
export async function runThresholds(
  source: DissectionSource,
  pass: ThresholdPass,
  options: PassOptions,
): Promise<void> {
  const { parameters, geometry } = pass.identity;
  const valuesOf = ({ activations }: ActivationBatch) =>
    parameters.quantileOver === 'map'
      ? activations
      : enlargeMaps(activations, placeCells(parameters, geometry), geometry.pixels);
  await runPass(pass, source.activations, options, {
    take: async (batch) => {
      await pass.thresholds.add(valuesOf(batch));
      await pass.top.add({ activations: batch.activations, pictures: batch.numbers });
    },
    save: () => saveThresholds(options.folder, pass),
  });
}

/** Goes on with the second pass to its end. */
export async function runCounts(
  source: DissectionSource,
  pass: CountPass,
  options: PassOptions,
): Promise<void> {
  await runPass(pass, source.labelled, options, {
    take: ({ activations, labels }) => pass.counts.add({ activations, ...labels }),
    save: () => saveCounts(options.folder, pass),
  });
}

async function runPass<Batch extends ActivationBatch>(
  pass: Pass,
  stream: (numbers: readonly number[], signal: AbortSignal) => AsyncIterable<Batch>,
  { signal, onProgress }: PassOptions,
  { take, save }: { take: (batch: Batch) => Promise<void>; save: () => Promise<void> },
): Promise<void> {
  const numbers = numbersOf(pass.shard, pass.identity.count);
  onProgress(pass.done, numbers.length);
  let saved = performance.now();
  // Whether the state is a sound one that is not yet on the disk; between the parts of a batch it is not sound.
  let isNews = false;
  try {
    for await (const batch of stream(numbers.slice(pass.done), signal)) {
      isNews = false;
      if (batch.numbers.length > 0) await take(batch);
      pass.done += batch.numbers.length + batch.skipped.length;
      pass.skipped.push(...batch.skipped);
      isNews = true;
      onProgress(pass.done, numbers.length);
      if (performance.now() - saved < SAVE_EVERY_MS) continue;
      await save();
      saved = performance.now();
      isNews = false;
    }
  } finally {
    // An error or an interrupt loses nothing of what was done before it.
    if (isNews) await save();
  }
}
