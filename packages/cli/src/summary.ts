import { basename } from 'node:path';
import type { Tensor } from '@unitscope/tensor';
import type { Drawing } from './drawing.js';

const SHOWN_CLASSES = 3;

/** What was found in each sample, in lines of text: the class or unit that was explained, and the top classes. */
export function describeInput({ inputs, explanations, classNames, layer }: Drawing): readonly string[] {
  const [first] = explanations;
  if (first === undefined) return [];
  return samplesOf(inputs).map(({ label }, n) => {
    if (first.logits === undefined) {
      const position = first.position?.[n];
      const at = position === undefined ? '' : ` at ${position.join(',')}`;
      return `${label}: unit ${first.target[n]} of ${layer}${at}, activation ${formatNumber(first.score[n]!)}`;
    }
    const top = topClasses(first.logits, n, SHOWN_CLASSES);
    const named = (index: number) => (classNames?.[index] === undefined ? `class ${index}` : `${classNames[index]} (${index})`);
    const list = top.map(({ index, probability }) => `${named(index)} ${(100 * probability).toFixed(1)} %`).join(', ');
    const explained = first.target[n]!;
    const asked = explained === top[0]!.index ? '' : `; explained: ${named(explained)}, score ${formatNumber(first.score[n]!)}`;
    return `${label}: ${list}${asked}`;
  });
}

export interface Sample {
  readonly label: string;
  readonly path: string;
  /** Position of the sample in its file. */
  readonly index: number;
}

/** One entry per sample of the batch: a picture, or one row of an array. */
export function samplesOf(inputs: Drawing['inputs']): readonly Sample[] {
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

/** The classes of the highest scores of one sample, highest first. */
export function topClasses({ dims, data }: Tensor, sample: number, count: number): readonly TopClass[] {
  const size = data.length / dims[0]!;
  const logits = Array.from(data.subarray(sample * size, (sample + 1) * size));
  const highest = Math.max(...logits);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0);
  return logits
    .map((logit, index) => ({ index, logit, probability: Math.exp(logit - highest) / total }))
    .sort((a, b) => b.logit - a.logit || a.index - b.index)
    .slice(0, count);
}

export function formatNumber(value: number): string {
  return Number(value.toPrecision(5)).toString();
}
