import { findScore } from '@unitscope/autodiff';
import type { Model } from '@unitscope/model';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';

/**
 * The class scores of pictures before any softmax, for each picture one for each class. Throws `unsupported` where they are not finite, saying of which picture.
 *
 * @param batch `[n, C, H, W]`
 * @param nameOf what to call a picture of the batch in an error
 */
export async function classScores(
  model: Model,
  batch: Tensor,
  nameOf: (picture: number) => string,
  signal: AbortSignal,
): Promise<readonly Float32Array[]> {
  const logits = findScore(model.graph)?.logits;
  const scores =
    logits === undefined ? undefined : (await model.activations([logits], batch, { signal })).get(logits);
  const [count = 0] = batch.dims;
  if (scores === undefined || scores.dims[0] !== count)
    throw new UnitscopeError('unsupported', `${model.path} gives no class scores, one row for each picture`);
  const classes = scores.data.length / count;
  const broken = scores.data.findIndex((score) => !Number.isFinite(score));
  if (broken !== -1) {
    throw new UnitscopeError(
      'unsupported',
      `a score of ${nameOf(Math.floor(broken / classes))} is ${scores.data[broken]}; check the weights of ${model.path} and --preprocess`,
    );
  }
  return Array.from({ length: count }, (_, n) => scores.data.slice(n * classes, (n + 1) * classes));
}

/** exp(s_k) / sum_j exp(s_j) in float64. */
export function probabilityOf(scores: Float32Array, target: number): number {
  const largest = scores.reduce((most, score) => Math.max(most, score));
  const sum = scores.reduce((total, score) => total + Math.exp(score - largest), 0);
  return Math.exp(scores[target]! - largest) / sum;
}

/** The class of the largest score; of equals the first. */
export function topClass(scores: Float32Array): number {
  return scores.reduce((best, score, index) => (score > scores[best]! ? index : best), 0);
}
