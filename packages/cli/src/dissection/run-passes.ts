import { enlargeMaps, placeCells } from '@unitscope/metrics';
import { type PassOptions, runPass } from '../passes/run-pass.js';
import { type CountPass, saveCounts, saveThresholds, type ThresholdPass } from './saved-pass.js';
import type { ActivationBatch, DissectionSource } from './source.js';

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
