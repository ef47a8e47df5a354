import { findScore, gradient } from '@unitscope/autodiff';
import type { Model } from '@unitscope/model';
import {
  indexOfNonFinite,
  Random,
  sizeOf,
  type Tensor,
  throwIfAborted,
  UnitscopeError,
} from '@unitscope/tensor';
import { checkScale, identityScale, type PictureScale, toPicture } from '../ascent/picture-scale.js';
import { type ClassStanding, crossEntropyDirection, standingOf, topClassOf } from './cross-entropy.js';
import { euclideanLength, type NormName, normBall } from './norm-ball.js';
import { pictureRange } from './picture-range.js';

export const ATTACK_NAMES = ['fgsm', 'pgd'] as const;
export type AttackName = (typeof ATTACK_NAMES)[number];

/** Lengths are in units of the picture, whose values are in 0..1: 8 of 255 grey levels are 8/255. */
export interface AttackOptions {
  /** `fgsm` is one step as long as epsilon; `pgd`, the default, many from a random start. */
  readonly method?: AttackName;
  /** How a perturbation is measured; `linf` by default, the only one of `fgsm`. */
  readonly norm?: NormName;
  /** The largest norm of a perturbation; by default 4/255, and for `l2` 2/255 times the root of the number of values. */
  readonly epsilon?: number;
  /** Of `pgd`; 10 by default. */
  readonly steps?: number;
  /** Of `pgd`; a quarter of epsilon by default. */
  readonly stepSize?: number;
  /** Of `pgd`: whether it starts at a random point of the ball, as by default, or at the picture. */
  readonly randomStart?: boolean;
  /** Of the random start, 0 by default. Every picture has the same, so that a result does not depend on its batch. */
  readonly seed?: number;
  /** The class to reach, of all pictures or of each; without it, to leave the class each picture is taken for. */
  readonly target?: number | readonly number[];
  /** How pictures in 0..1 become the network's input; as they are by default. */
  readonly scale?: PictureScale;
  readonly onProgress?: (progress: AttackProgress) => void;
  /** Ends the attack within one step. */
  readonly signal?: AbortSignal;
}

export interface AttackProgress {
  /** Steps made. */
  readonly step: number;
  readonly steps: number;
  /** The class each picture is taken for now. */
  readonly classes: readonly number[];
}

/** What an attack did to one picture. */
export interface AttackedSample {
  /** What the network takes the picture for, before and after. */
  readonly before: ClassStanding;
  readonly after: ClassStanding;
  /** After rounding the picture to 256 levels, as a file of it would be. */
  readonly rounded: ClassStanding;
  /** The class to reach, before and after; only of a targeted attack. */
  readonly target?: { readonly before: ClassStanding; readonly after: ClassStanding };
  /** Whether the target was reached, or without one the class was left. */
  readonly success: boolean;
  /** The same of the rounded picture. */
  readonly roundedSuccess: boolean;
  /** Steps made when that was so first, 0 for the random start; also where later steps went back. */
  readonly changedAt?: number;
  /** Of the perturbation, in units of the picture. */
  readonly norms: { readonly linf: number; readonly l2: number; readonly meanAbsolute: number };
}

export interface Attack {
  /** [N, C, H, W] as the network takes it. */
  readonly input: Tensor;
  /** [N, C, H, W], adversarial less original, in units of the picture and the order of the input's channels. */
  readonly perturbation: Tensor;
  /** [N, C, H, W] in 0..1, red first. */
  readonly pictures: { readonly before: Tensor; readonly after: Tensor };
  /** The class scores before the softmax, [N, K]. */
  readonly scores: { readonly before: Tensor; readonly after: Tensor };
  readonly samples: readonly AttackedSample[];
  readonly record: AttackRecord;
  readonly notes: readonly string[];
}

/** Everything that made the result, for the record. */
export interface AttackRecord {
  readonly method: AttackName;
  readonly paper: string;
  readonly loss: 'cross-entropy';
  readonly norm: NormName;
  readonly epsilon: number;
  readonly steps: number;
  readonly stepSize: number;
  readonly randomStart: boolean;
  readonly seed: number;
}

const PAPERS: Readonly<Record<AttackName, string>> = {
  fgsm: 'Goodfellow, Shlens, Szegedy 2014, arXiv:1412.6572',
  pgd: 'Madry, Makelov, Schmidt, Tsipras, Vladu 2017, arXiv:1706.06083',
};
const LEVELS = 255;

/**
 * Perturbs pictures, [N, C, H, W] as the network takes them, within a ball and the range of pictures so that the
 * network takes them for something else.
 *
 * With J the cross-entropy of the class a picture is taken for, x the picture: FGSM is x + epsilon sign(dJ/dx), PGD
 * repeats x <- P(x + a sign(dJ/dx)) (for `l2` x <- P(x + a g / |g|), g = dJ/dx) with P the projection on the ball, then
 * on the range. A targeted attack lowers J of the target instead. Each step is a forward and a backward pass, and a
 * forward pass for the scores.
 *
 * Throws `wrong-use` for options that cannot be, `not-found` for a class that is not there, `bad-input` for a batch that
 * does not fit or lies outside the range of pictures, `unsupported` where scores or gradient are not finite and for a
 * network without class scores, `aborted`.
 */
export async function attack(model: Model, batch: Tensor, options: AttackOptions = {}): Promise<Attack> {
  const { signal, onProgress } = options;
  const [count = 0, channels = 0] = batch.dims;
  const scale = options.scale ?? identityScale(channels);
  checkScale(scale, channels);
  const size = sizeOf(batch.dims.slice(1));
  const record = recordOf(options, size);
  const ball = normBall(record.norm, record.epsilon);
  const run = signal === undefined ? {} : { signal };
  const logits = scoresOf(model);
  const pullback = await model.pullback({ kind: 'linear', layers: [logits] }, { composite: gradient });
  const forward = async (data: Float32Array): Promise<Tensor> => {
    throwIfAborted(signal);
    const scores = (await model.activations([logits], { dims: batch.dims, data }, run)).get(logits)!;
    requireClasses(scores, logits);
    return scores;
  };

  const before = await forward(batch.data);
  const first = rowsOf(before, count);
  const classesBefore = first.map(topClassOf);
  const targets = targetsOf(options.target, count, before.data.length / Math.max(count, 1));
  const attacked = targets ?? classesBefore.map(({ index }) => index);
  const range = pictureRange(batch, scale, size);
  const perturbations = Array.from({ length: count }, () => new Float64Array(size));
  const isReached = (sample: number, index: number) =>
    targets === undefined ? index !== attacked[sample] : index === attacked[sample];
  const changedAt = new Map<number, number>();
  const note = (scores: Tensor, step: number) => {
    const classes = rowsOf(scores, count).map((row) => topClassOf(row).index);
    for (const [sample, index] of classes.entries())
      if (isReached(sample, index) && !changedAt.has(sample)) changedAt.set(sample, step);
    onProgress?.({ step, steps: record.steps, classes });
  };

  if (record.randomStart) {
    for (const [sample, perturbation] of perturbations.entries()) {
      ball.draw(new Random(record.seed), perturbation);
      range.clip(sample, perturbation);
    }
  }
  let input = range.apply(perturbations);
  let scores = record.randomStart ? await forward(input) : before;
  const still = new Set<number>();
  const ascent = new Float64Array(size);
  const direction = targets === undefined ? 1 : -1;
  note(scores, 0);
  for (let step = 1; step <= record.steps; step++) {
    throwIfAborted(signal);
    const coefficients = new Map([[logits, crossEntropyDirection(scores, attacked)]]);
    const { signal: slope } = await pullback.run({ dims: batch.dims, data: input }, coefficients, run);
    for (const [sample, perturbation] of perturbations.entries()) {
      const sum = range.gradient(sample, slope.data, direction, ascent);
      // A sum that is finite has finite terms.
      if (!Number.isFinite(sum)) throw notFinite(`the gradient of picture ${sample} at step ${step}`, sum);
      if (sum === 0) still.add(sample);
      ball.ascend(perturbation, ascent, record.stepSize);
      ball.project(perturbation);
      range.clip(sample, perturbation);
    }
    input = range.apply(perturbations);
    scores = await forward(input);
    note(scores, step);
  }

  const adversarial = { dims: batch.dims, data: input };
  const rounded = rowsOf(await forward(range.apply(perturbations, LEVELS)), count).map(topClassOf);
  const after = rowsOf(scores, count);
  return {
    input: adversarial,
    perturbation: { dims: batch.dims, data: joined(perturbations, size) },
    pictures: { before: toPicture(batch, scale), after: toPicture(adversarial, scale) },
    scores: { before, after: scores },
    samples: perturbations.map((perturbation, n): AttackedSample => {
      const standing = topClassOf(after[n]!);
      const target = targets?.[n];
      const reached = changedAt.get(n);
      return {
        ...{ before: classesBefore[n]!, after: standing, rounded: rounded[n]! },
        ...(target === undefined ? {} : { target: bothStandings(first[n]!, after[n]!, target) }),
        success: isReached(n, standing.index),
        roundedSuccess: isReached(n, rounded[n]!.index),
        ...(reached === undefined ? {} : { changedAt: reached }),
        norms: normsOf(perturbation),
      };
    }),
    record,
    notes: notesOn(still, count, targets, classesBefore),
  };
}

function recordOf(options: AttackOptions, size: number): AttackRecord {
  const { method = 'pgd', norm = 'linf', seed = 0 } = options;
  const refuse = (why: string) => new UnitscopeError('wrong-use', why);
  const epsilon = options.epsilon ?? (norm === 'linf' ? 4 / LEVELS : (2 / LEVELS) * Math.sqrt(size));
  if (!(epsilon > 0 && Number.isFinite(epsilon)))
    throw refuse(`epsilon must be a number above 0, got ${epsilon}`);
  if (norm === 'linf' && epsilon > 1) {
    throw refuse(`epsilon ${epsilon} is more than the whole range of a picture, 1; a level is 1/255`);
  }
  if (!Number.isSafeInteger(seed)) throw refuse(`seed must be a whole number, got ${seed}`);
  const common = { method, paper: PAPERS[method], loss: 'cross-entropy', norm, epsilon, seed } as const;
  if (method === 'fgsm') {
    const given = [options.steps, options.stepSize, options.randomStart].some((value) => value !== undefined);
    if (norm !== 'linf') throw refuse('fgsm is an attack under linf; under l2 take pgd');
    if (given) throw refuse('steps, their size and a random start are of pgd; fgsm is one step of epsilon');
    return { ...common, steps: 1, stepSize: epsilon, randomStart: false };
  }
  const { steps = 10, stepSize = epsilon / 4, randomStart = true } = options;
  if (!Number.isSafeInteger(steps) || steps < 1)
    throw refuse(`steps must be a positive integer, got ${steps}`);
  if (!(stepSize > 0 && Number.isFinite(stepSize)))
    throw refuse(`the step size must be a number above 0, got ${stepSize}`);
  return { ...common, steps, stepSize, randomStart };
}

function scoresOf({ graph }: Model): string {
  const score = findScore(graph);
  if (score !== undefined) return score.logits;
  throw new UnitscopeError('bad-file', `${graph.name || 'the network'} has no outputs`);
}

function requireClasses({ dims, data }: Tensor, name: string): void {
  const [count = 0, classes = 0] = dims;
  if (classes < 2 || data.length !== count * classes) {
    throw new UnitscopeError(
      'unsupported',
      `${name} has dims [${dims.join(', ')}]; an attack needs the scores of at least two classes, [N, K]`,
      { subject: name },
    );
  }
  const broken = indexOfNonFinite(data);
  if (broken !== -1) throw notFinite(name, data[broken]!);
}

function notFinite(what: string, value: number): UnitscopeError {
  return new UnitscopeError(
    'unsupported',
    `${what} is not finite (${value}); check the weights and the preprocessing`,
  );
}

function targetsOf(
  target: AttackOptions['target'],
  count: number,
  classes: number,
): readonly number[] | undefined {
  if (target === undefined) return undefined;
  const targets = typeof target === 'number' ? new Array<number>(count).fill(target) : target;
  if (targets.length !== count) {
    throw new UnitscopeError('wrong-use', `${targets.length} targets are given for ${count} pictures`);
  }
  for (const index of targets) {
    if (Number.isInteger(index) && index >= 0 && index < classes) continue;
    throw new UnitscopeError(
      'not-found',
      `no class ${index}; the network has the classes 0 to ${classes - 1}`,
      {
        subject: String(index),
      },
    );
  }
  return targets;
}

function rowsOf({ data }: Tensor, count: number): Float32Array[] {
  const size = data.length / Math.max(count, 1);
  return Array.from({ length: count }, (_, n) => data.subarray(n * size, (n + 1) * size));
}

function joined(perturbations: readonly Float64Array[], size: number): Float32Array {
  const data = new Float32Array(perturbations.length * size);
  for (const [sample, perturbation] of perturbations.entries()) data.set(perturbation, sample * size);
  return data;
}

function bothStandings(before: Float32Array, after: Float32Array, index: number) {
  return { before: standingOf(before, index), after: standingOf(after, index) };
}

function normsOf(perturbation: Float64Array): AttackedSample['norms'] {
  let [largest, sum] = [0, 0];
  for (const value of perturbation) {
    largest = Math.max(largest, Math.abs(value));
    sum += Math.abs(value);
  }
  return { linf: largest, l2: euclideanLength(perturbation), meanAbsolute: sum / perturbation.length };
}

function notesOn(
  still: ReadonlySet<number>,
  count: number,
  targets: readonly number[] | undefined,
  before: readonly ClassStanding[],
): string[] {
  const named = (samples: readonly number[]) => (count === 1 ? '' : ` of picture ${samples.join(', ')}`);
  const there = before.flatMap(({ index }, n) => (targets?.[n] === index ? [n] : []));
  return [
    ...(still.size === 0
      ? []
      : [`the gradient${named([...still])} was exactly 0 at some step, which moved nothing`]),
    ...(there.length === 0 ? [] : [`the target${named(there)} is what the network took it for before`]),
  ];
}
