import { basename } from 'node:path';
import type { LoadedInput } from '@unitscope/data';
import type { Explanation, UnitOfLayer } from '@unitscope/visualization';

const SHOWN_CLASSES = 3;

/** What was explained, and what came of it. */
export interface Findings {
  readonly inputs: readonly LoadedInput[];
  /** By each method, of all samples; of one class or unit, so that scores and targets are the same in all. */
  readonly explanations: readonly Explanation[];
  readonly classNames: readonly string[] | undefined;
  /** The unit explained, the layer by its own name; undefined for classes. */
  readonly unit: Required<UnitOfLayer> | undefined;
}

/** What was found in each sample, in lines of text: the class or unit that was explained, and the top classes. */
export function describeSamples({ inputs, explanations, classNames, unit }: Findings): readonly string[] {
  const [first] = explanations;
  if (first === undefined) return [];
  return samplesOf(inputs).map(({ label }, n) => {
    const score = formatNumber(first.score[n]!);
    if (unit !== undefined) {
      const position = first.position?.[n];
      const at = position === undefined ? '' : ` at ${position.join(',')}`;
      return `${label}: ${describeUnit(unit)}${at}, ${unit.position === 'mean' ? 'mean ' : ''}activation ${score}`;
    }
    const explained = first.target[n]!;
    const top = topClasses(first, n, SHOWN_CLASSES);
    const list = top.map(
      ({ index, probability }) => `${nameClass(index, classNames)} ${(100 * probability).toFixed(1)} %`,
    );
    const asked =
      explained === top[0]?.index ? '' : `; explained: ${nameClass(explained, classNames)}, score ${score}`;
    return `${label}: ${list.join(', ')}${asked}`;
  });
}

/** `unit 3 of conv5`. */
export function describeUnit({ layer, channel }: UnitOfLayer): string {
  return `unit ${channel} of ${layer}`;
}

/** `chickadee (19)`, or `class 19` where names are unknown or this one is empty. */
export function nameClass(index: number, classNames: readonly string[] | undefined): string {
  const name = classNames?.[index] ?? '';
  return name === '' ? `class ${index}` : `${name} (${index})`;
}

export interface Sample {
  readonly label: string;
  readonly path: string;
  /** Position of the sample in its file. */
  readonly index: number;
}

/** One entry per sample of the batch: a picture, or one row of an array. */
export function samplesOf(inputs: Findings['inputs']): readonly Sample[] {
  return inputs.flatMap(({ path, tensor }) => {
    const count = tensor.dims[0] ?? 0;
    return Array.from({ length: count }, (_, index) => ({
      label: count === 1 ? basename(path) : `${basename(path)}[${index}]`,
      path,
      index,
    }));
  });
}

export interface TopClass {
  readonly index: number;
  readonly logit: number;
  /** Softmax over the logits, whether or not the network has one. */
  readonly probability: number;
}

/** The classes of the highest scores of one sample, highest first; none where no class was explained. */
export function topClasses(
  { logits }: Pick<Explanation, 'logits'>,
  sample: number,
  count: number,
): readonly TopClass[] {
  if (logits === undefined) return [];
  const { dims, data } = logits;
  const size = data.length / dims[0]!;
  const scores = Array.from(data.subarray(sample * size, (sample + 1) * size));
  const highest = Math.max(...scores);
  const total = scores.reduce((sum, logit) => sum + Math.exp(logit - highest), 0);
  return scores
    .map((logit, index) => ({ index, logit, probability: Math.exp(logit - highest) / total }))
    .sort((a, b) => b.logit - a.logit || a.index - b.index)
    .slice(0, count);
}

export function formatNumber(value: number): string {
  return Number(value.toPrecision(5)).toString();
}
