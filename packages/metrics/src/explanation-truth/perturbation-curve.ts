import { sameDims, type Tensor, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import type { Relevance } from './relevance.js';

export const PERTURBATIONS = ['deletion', 'insertion'] as const;

/** Whether pixels of the picture are replaced by the baseline, or pixels of the baseline by the picture. */
export type Perturbation = (typeof PERTURBATIONS)[number];

/** The score of each picture of a batch `[n, C, H, W]`, such as the probability of the class that the map explains. */
export type ScoresOf = (batch: Tensor) => Promise<Float64Array>;

export interface PerturbationOptions {
  readonly kind: Perturbation;
  /** Of the picture's dims: what is there where the picture is not, see `meanPicture` and `blurredPicture`. */
  readonly baseline: Tensor;
  /** Points of the curve after the first. Default 20. */
  readonly steps?: number;
  /** Pictures in one call of `scoresOf`. Default 16. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface PerturbationCurve {
  readonly kind: Perturbation;
  /** Of the pixels that were exchanged: 0 to 1, `steps + 1` of them. */
  readonly fractions: Float64Array;
  readonly scores: Float64Array;
  /** The area under the scores over the fractions, by trapezoids: the mean score on the way. */
  readonly area: number;
}

/**
 * The pixels of a map from the largest value down; of equals the first comes first, row by row, so that the order is the
 * same on every machine.
 */
export function pixelOrder({ values }: Relevance): Int32Array {
  return Int32Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
}

/**
 * The deletion and insertion curves of RISE (Petsiuk, Das and Saenko 2018, arXiv:1806.07421): pixels are exchanged in the
 * order of the map, the most relevant first, and the score is followed. After step s of S, floor(s H W / S) pixels are
 * exchanged. A good map makes the score fall early under deletion (small area) and rise early under insertion (large
 * area). Scores should lie in 0..1, a probability, for areas of different pictures to be comparable.
 *
 * @param picture `[C, H, W]`, as the network takes it
 * @param scoresOf is given batches whose data are its own
 *
 * Throws `bad-input` for sizes that do not fit and scores that are not finite or not one for each picture, `wrong-use`
 * for steps that are not 1 to H W, `aborted`.
 */
export async function perturbationCurve(
  picture: Tensor,
  relevance: Relevance,
  scoresOf: ScoresOf,
  options: PerturbationOptions,
): Promise<PerturbationCurve> {
  const { kind, baseline, steps = 20, batchSize = 16, signal } = options;
  requireFit(picture, relevance, options, { steps, batchSize });
  const order = pixelOrder(relevance);
  const [from, to] = kind === 'deletion' ? [picture, baseline] : [baseline, picture];
  const state = Float32Array.from(from.data);
  const fractions = new Float64Array(steps + 1);
  const scores = new Float64Array(steps + 1);
  let exchanged = 0;
  for (let first = 0; first <= steps; first += batchSize) {
    throwIfAborted(signal);
    const count = Math.min(batchSize, steps + 1 - first);
    const data = new Float32Array(count * state.length);
    for (let i = 0; i < count; i++) {
      const wanted = Math.floor(((first + i) * order.length) / steps);
      for (; exchanged < wanted; exchanged++) {
        for (let at = order[exchanged]!; at < state.length; at += order.length) state[at] = to.data[at]!;
      }
      data.set(state, i * state.length);
      fractions[first + i] = wanted / order.length;
    }
    scores.set(await scoresFor({ dims: [count, ...picture.dims], data }, scoresOf), first);
  }
  return { kind, fractions, scores, area: areaUnder(fractions, scores) };
}

async function scoresFor(batch: Tensor, scoresOf: ScoresOf): Promise<Float64Array> {
  const [count = 0] = batch.dims;
  const scores = await scoresOf(batch);
  if (scores.length !== count)
    throw new UnitscopeError('bad-input', `${scores.length} scores were given for ${count} pictures`);
  const broken = scores.find((score) => !Number.isFinite(score));
  if (broken === undefined) return scores;
  throw new UnitscopeError('bad-input', `the score of a changed picture is ${broken}; it must be finite`);
}

/** sum (x_{i+1} - x_i) (y_i + y_{i+1}) / 2 */
function areaUnder(x: Float64Array, y: Float64Array): number {
  let area = 0;
  for (let i = 1; i < x.length; i++) area += ((x[i]! - x[i - 1]!) * (y[i]! + y[i - 1]!)) / 2;
  return area;
}

function requireFit(
  picture: Tensor,
  { height, width }: Relevance,
  { kind, baseline }: PerturbationOptions,
  { steps, batchSize }: { readonly steps: number; readonly batchSize: number },
): void {
  const bad = (why: string) => new UnitscopeError('bad-input', why);
  if (!PERTURBATIONS.includes(kind))
    throw new UnitscopeError('wrong-use', `there is ${PERTURBATIONS.join(' and ')}, no "${String(kind)}"`);
  const [channels = 0, ...plane] = picture.dims;
  if (plane.join() !== [height, width].join() || picture.data.length !== channels * height * width)
    throw bad(
      `the picture must be [channels, ${height}, ${width}] like the map, not [${picture.dims.join(', ')}]`,
    );
  if (!sameDims(baseline.dims, picture.dims) || baseline.data.length !== picture.data.length)
    throw bad(
      `the baseline must be [${picture.dims.join(', ')}] like the picture, not [${baseline.dims.join(', ')}]`,
    );
  if (!Number.isInteger(steps) || steps < 1 || steps > height * width)
    throw new UnitscopeError(
      'wrong-use',
      `steps must be an integer from 1 to ${height * width}, it is ${steps}`,
    );
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new UnitscopeError('wrong-use', `batchSize must be a positive integer, it is ${batchSize}`);
}
