import { type MeanInterval, meanInterval } from '@unitscope/metrics';
import type { RandomisationStep } from './parameter-randomisation.js';

/** What a method's maps have in common with those of a network that has forgotten up to half of its layers. */
export interface RandomisationVerdict {
  /** `undecided` where the interval has the threshold in it, and where no map has two values to rank. */
  readonly outcome: 'passes' | 'fails' | 'undecided';
  /** The similarity that decides, over the pictures. */
  readonly similarity: MeanInterval;
  readonly threshold: number;
}

/** Half way between maps that have nothing in common and equal ones. */
const THRESHOLD = 0.5;

/**
 * A method fails the cascade if its maps stay: if the rank correlation of the signed maps before and after, averaged
 * over the steps at which at most half of the layers are forgotten, is above 0.5 in the mean over the pictures. A
 * network whose upper half is random says nothing about its class any more. Signed maps decide, because magnitudes
 * follow the contrast of the picture for every method, the gradient included; the lower half is left out, because what
 * its filters draw changes under any method.
 *
 * @param steps of a cascade
 * @param layers how many the network has
 * @returns undefined without a step that forgets at most half of the layers
 */
export function verdictOf(
  steps: readonly RandomisationStep[],
  layers: number,
): RandomisationVerdict | undefined {
  const half = Math.max(1, Math.floor(layers / 2));
  const upper = steps.filter(({ forgotten }) => forgotten <= half);
  const [first] = upper;
  if (first === undefined) return undefined;
  const pictures = first.similarities.map(
    (_, n) => meanInterval(upper.map(({ similarities }) => similarities[n]!.signed.rankCorrelation)).mean,
  );
  const similarity = meanInterval(pictures);
  const { mean, interval } = similarity;
  const open = Number.isNaN(mean) || Math.abs(mean - THRESHOLD) < interval;
  const outcome = open ? 'undecided' : mean > THRESHOLD ? 'fails' : 'passes';
  return { outcome, similarity, threshold: THRESHOLD };
}
