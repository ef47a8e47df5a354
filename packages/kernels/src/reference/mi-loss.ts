import type { MiParams } from '../kernel-arguments.js';
import { templateScoresReference } from './template-scores.js';

/** p(T), log p(x|T) and log p(x) of one filter. */
export interface FilterDistribution {
  readonly prior: readonly number[];
  /** By image and template. */
  readonly logLikelihood: readonly Float64Array[];
  readonly logEvidence: readonly number[];
}

/** log of the sum of e^values. */
function logSumExp(values: readonly number[]): number {
  const largest = Math.max(...values);
  if (largest === Number.NEGATIVE_INFINITY) return largest;
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

/** The distributions of filter `channel`, in float64 and from the definition. */
export function filterDistribution(
  params: MiParams,
  scores: Float64Array,
  channel: number,
  logZ: ArrayLike<number> | undefined,
): FilterDistribution {
  const cells = params.size ** 2;
  const templates = Array.from({ length: cells + 1 }, (_, template) => template);
  const images = Array.from({ length: params.batch }, (_, image) => image);
  const prior = templates.map((template) => (template < cells ? params.alpha / cells : 1 - params.alpha));
  const score = (image: number, template: number) =>
    scores[(image * params.channels + channel) * (cells + 1) + template]!;
  const partition = templates.map(
    (template) =>
      logZ?.[channel * (cells + 1) + template] ?? logSumExp(images.map((image) => score(image, template))),
  );
  const logLikelihood = images.map((image) =>
    Float64Array.from(templates, (template) => Math.min(score(image, template) - partition[template]!, 600)),
  );
  const logEvidence = logLikelihood.map((row) =>
    logSumExp(templates.map((template) => Math.log(prior[template]!) + row[template]!)),
  );
  return { prior, logLikelihood, logEvidence };
}

/** -sum_T p(T) sum_x p(x|T) log(p(x|T) / p(x)) of every filter, in float64. */
export function miLossReference(
  params: MiParams,
  x: ArrayLike<number>,
  logZ: ArrayLike<number> | undefined,
): Float64Array {
  const scores = templateScoresReference(params, x);
  return Float64Array.from({ length: params.channels }, (_, channel) => {
    const { prior, logLikelihood, logEvidence } = filterDistribution(params, scores, channel, logZ);
    let loss = 0;
    logLikelihood.forEach((row, image) => {
      row.forEach((value, template) => {
        loss -= prior[template]! * Math.exp(value) * (value - logEvidence[image]!);
      });
    });
    return loss;
  });
}
