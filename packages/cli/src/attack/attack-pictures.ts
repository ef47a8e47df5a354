import type { LoadedInput } from '@unitscope/data';
import type { Layer, Model } from '@unitscope/model';
import { sliceBatch, type Tensor } from '@unitscope/tensor';
import {
  type ActivationChange,
  type Attack,
  type AttackedSample,
  type AttackOptions,
  attack,
  compareActivations,
  type Explanation,
  explain,
  type Method,
} from '@unitscope/visualization';
import { samplesOf, type TopClass, topClasses } from '../summary.js';
import { type ConceptChange, conceptChanges, type Detectors } from './concepts.js';

/** What is attacked, and how it is looked at. */
export interface Probe {
  readonly model: Model;
  readonly layer: Layer;
  /** The method of the maps before and after. */
  readonly method: Method;
  readonly detectors: Detectors | undefined;
  readonly options: AttackOptions;
}

/** A map before or after, of the class the network takes the picture for then. */
export interface SampleMap {
  readonly explanation: Explanation;
  readonly map: Tensor;
}

/** One picture and all that was found about it. */
export interface Attacked {
  readonly label: string;
  readonly path: string;
  /** Position of the sample in its file. */
  readonly index: number;
  readonly input: LoadedInput;
  readonly sample: AttackedSample;
  /** All classes before and after, the most probable first. */
  readonly classes: { readonly before: readonly TopClass[]; readonly after: readonly TopClass[] };
  /** [1, C, H, W] each; the pictures in 0..1, red first. */
  readonly adversarial: Tensor;
  readonly pictures: { readonly before: Tensor; readonly after: Tensor };
  readonly perturbation: Tensor;
  readonly maps: { readonly before: SampleMap; readonly after: SampleMap };
  readonly change: ActivationChange;
  readonly concepts: readonly ConceptChange[] | undefined;
}

/** The attack of a batch, and of each of its pictures what it changed. */
export async function attackPictures(
  { model, layer, method, detectors, options }: Probe,
  inputs: readonly LoadedInput[],
  batch: Tensor,
  { first, count }: { readonly first: number; readonly count: number },
): Promise<{ readonly attack: Attack; readonly attacked: readonly Attacked[] }> {
  const { signal } = options;
  const run = signal === undefined ? {} : { signal };
  const own = sliceBatch(batch, first, first + count);
  const result = await attack(model, own, options);
  const taken = (when: 'before' | 'after') => result.samples.map((sample) => sample[when].index);
  const explanations = {
    before: await explain(model, method, own, { ...run, target: taken('before') }),
    after: await explain(model, method, result.input, { ...run, target: taken('after') }),
  };
  const changes = await compareActivations(model, layer.name, own, result.input, run);
  const sources = inputs.flatMap((input) => Array.from({ length: input.tensor.dims[0] ?? 0 }, () => input));
  const labels = samplesOf(inputs);
  const attacked = result.samples.map((sample, n): Attacked => {
    const of = (tensor: Tensor) => sliceBatch(tensor, n, n + 1);
    const ranked = (scores: Tensor) => topClasses({ logits: scores }, n, Number.POSITIVE_INFINITY);
    const mapOf = (explanation: Explanation) => ({ explanation, map: of(explanation.map) });
    const change = changes[n]!;
    return {
      ...labels[first + n]!,
      input: sources[first + n]!,
      sample,
      classes: { before: ranked(result.scores.before), after: ranked(result.scores.after) },
      adversarial: of(result.input),
      pictures: { before: of(result.pictures.before), after: of(result.pictures.after) },
      perturbation: of(result.perturbation),
      maps: { before: mapOf(explanations.before), after: mapOf(explanations.after) },
      change,
      concepts: detectors === undefined ? undefined : conceptChanges(change.units, detectors),
    };
  });
  return { attack: result, attacked };
}
