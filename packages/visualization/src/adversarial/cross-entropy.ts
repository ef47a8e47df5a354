import type { Tensor } from '@unitscope/tensor';

/** A class and where it stands among the scores of one picture. */
export interface ClassStanding {
  readonly index: number;
  /** Before the softmax. */
  readonly score: number;
  /** Softmax over the scores, whether or not the network has one. */
  readonly probability: number;
}

/** The class of the highest score, the first of equals. */
export function topClassOf(scores: Float32Array): ClassStanding {
  let index = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[index]!) index = i;
  return standingOf(scores, index);
}

export function standingOf(scores: Float32Array, index: number): ClassStanding {
  const score = scores[index]!;
  const highest = scores.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const total = scores.reduce((sum, value) => sum + Math.exp(value - highest), 0);
  return { index, score, probability: Math.exp(score - highest) / total };
}

/**
 * The direction in which the scores z of each picture raise the cross-entropy J = -log softmax(z)_y of its class y, of
 * the dims of `scores`. dJ/dz is (1 - p_y) times this: -1 at y, and at every other class its softmax among the others.
 * Without the factor, of which no attack depends, the direction does not vanish where a network is sure.
 */
export function crossEntropyDirection(scores: Tensor, classes: readonly number[]): Tensor {
  const count = scores.data.length / classes.length;
  const data = new Float32Array(scores.data.length);
  for (const [sample, own] of classes.entries()) {
    const row = scores.data.subarray(sample * count, (sample + 1) * count);
    let highest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) if (i !== own) highest = Math.max(highest, row[i]!);
    let total = 0;
    for (let i = 0; i < count; i++) if (i !== own) total += Math.exp(row[i]! - highest);
    for (let i = 0; i < count; i++)
      data[sample * count + i] = i === own ? -1 : Math.exp(row[i]! - highest) / total;
  }
  return { dims: scores.dims, data };
}
