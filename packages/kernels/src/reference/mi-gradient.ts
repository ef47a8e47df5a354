import type { MiParams } from '../kernel-arguments.js';
import { filterDistribution } from './mi-loss.js';
import { templateHeight, templateScoresReference } from './template-scores.js';

/**
 * The gradient of the filter loss, in float64 and from the definition. `magnitude` is, for every cell, the sum of
 * tau p(T) p(x|T) (|score| + |log Z_T| + |log p(x)| + |sum p r|), for bounds on rounding.
 */
export function miGradientReference(
  params: MiParams,
  mode: 'exact' | 'frozen' | 'one-template',
  x: ArrayLike<number>,
  targets: ArrayLike<number>,
  logZ: ArrayLike<number> | undefined,
): { dx: Float64Array; magnitude: Float64Array } {
  const cells = params.size ** 2;
  const templates = Array.from({ length: cells + 1 }, (_, template) => template);
  const heights = templates.map((template) =>
    Array.from({ length: cells }, (_, cell) => templateHeight(params, template, cell)),
  );
  const scores = templateScoresReference(params, x);
  const dx = new Float64Array(params.batch * params.channels * cells);
  const magnitude = new Float64Array(dx.length);
  for (let channel = 0; channel < params.channels; channel++) {
    const { prior, logLikelihood, logEvidence } = filterDistribution(params, scores, channel, logZ);
    const ratio = (image: number, template: number) => logLikelihood[image]![template]! - logEvidence[image]!;
    const weightOf = (image: number, template: number) =>
      prior[template]! * Math.exp(logLikelihood[image]![template]!);
    const shifts = templates.map((template) => {
      if (mode !== 'exact') return 0;
      return logLikelihood.reduce(
        (sum, row, image) => sum + Math.exp(row[template]!) * ratio(image, template),
        0,
      );
    });
    for (let image = 0; image < params.batch; image++) {
      const map = image * params.channels + channel;
      const chosen = mode === 'one-template' ? chooseTemplate(x, map, cells, targets[map] !== 0) : undefined;
      for (const template of templates) {
        if (chosen !== undefined && chosen !== template) continue;
        const weight = weightOf(image, template) * (ratio(image, template) - shifts[template]!);
        const score = scores[map * (cells + 1) + template]!;
        const logPartition = score - logLikelihood[image]![template]!;
        const terms =
          Math.abs(score) +
          Math.abs(logPartition) +
          Math.abs(logEvidence[image]!) +
          Math.abs(shifts[template]!);
        for (let cell = 0; cell < cells; cell++) {
          dx[map * cells + cell] = dx[map * cells + cell]! - weight * heights[template]![cell]!;
          magnitude[map * cells + cell] =
            magnitude[map * cells + cell]! + params.tau * weightOf(image, template) * terms;
        }
      }
      if (chosen === -1 && Number.isNaN(logEvidence[image]))
        dx.fill(Number.NaN, map * cells, (map + 1) * cells);
    }
  }
  return { dx, magnitude };
}

/** The template at the first maximum, the negative one outside the category, -1 for a map of zeros. */
function chooseTemplate(x: ArrayLike<number>, map: number, cells: number, isTarget: boolean): number {
  if (!isTarget) return cells;
  let best = 0;
  let isZero = true;
  for (let cell = 0; cell < cells; cell++) {
    const value = x[map * cells + cell]!;
    if (value > x[map * cells + best]!) best = cell;
    isZero &&= value === 0;
  }
  return isZero ? -1 : best;
}
