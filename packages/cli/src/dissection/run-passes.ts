import { enlargeMaps, placeCells } from '@unitscope/metrics';
import { numbersOf } from '../passes/identity.js';
import { type PassOptions, runPass } from '../passes/run-pass.js';
import type { ActivationCache } from './activation-cache.js';
import { CachedSource, type CacheTrial } from './cached-source.js';
import { type CountPass, saveCounts, saveThresholds, type ThresholdPass } from './saved-pass.js';
import type { ActivationBatch, DissectionSource } from './source.js';

/** Where the first pass leaves activations for the second, if anywhere. */
export interface CacheOption {
  readonly cache?: ActivationCache | undefined;
}

/** Goes on with the first pass to its end. Returns what a cache was measured to cost. */
export async function runThresholds(
  source: DissectionSource,
  pass: ThresholdPass,
  { cache, ...options }: PassOptions & CacheOption,
): Promise<CacheTrial | undefined> {
  const { parameters, geometry } = pass.identity;
  const cached = cache === undefined ? undefined : new CachedSource(source, cache);
  const taken = pass.done - pass.skipped.length;
  const valuesOf = ({ activations }: ActivationBatch) =>
    parameters.quantileOver === 'map'
      ? activations
      : enlargeMaps(activations, placeCells(parameters, geometry), geometry.pixels);
  const stream = (numbers: readonly number[], signal: AbortSignal) =>
    cached?.activations(numbers, taken, signal) ?? source.activations(numbers, signal);
  await runPass(pass, stream, options, {
    take: async (batch) => {
      await pass.thresholds.add(valuesOf(batch));
      await pass.top.add({ activations: batch.activations, pictures: batch.numbers });
    },
    save: async () => {
      await cache?.sync();
      await saveThresholds(options.folder, pass);
    },
  });
  return cached?.trial;
}

/**
 * Goes on with the second pass to its end.
 *
 * @param first the first pass over the same pictures, which the cache goes with
 */
export async function runCounts(
  source: DissectionSource,
  pass: CountPass,
  { cache, first, ...options }: PassOptions & CacheOption & { readonly first: ThresholdPass },
): Promise<void> {
  const before = numbersOf(pass.shard, pass.identity.count).slice(0, pass.done);
  const stream = (numbers: readonly number[], signal: AbortSignal) =>
    cache === undefined
      ? source.labelled(numbers, signal)
      : new CachedSource(source, cache).labelled(numbers, before, first.skipped, signal);
  await runPass(pass, stream, options, {
    take: ({ activations, labels }) => pass.counts.add({ activations, ...labels }),
    save: () => saveCounts(options.folder, pass),
  });
}
