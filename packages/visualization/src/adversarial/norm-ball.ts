import type { Random } from '@unitscope/tensor';

export const NORM_NAMES = ['linf', 'l2'] as const;
/** `linf`: the largest change of a value; `l2`: the Euclidean length of the change of the whole picture. */
export type NormName = (typeof NORM_NAMES)[number];

/** The perturbations an attack may make of one picture, all those whose norm is at most epsilon. */
export interface NormBall {
  readonly norm: NormName;
  readonly epsilon: number;
  /** A perturbation drawn uniformly from the ball. */
  readonly draw: (random: Random, into: Float64Array) => void;
  /** A step of that length along the steepest ascent under the norm: its sign by `linf`, its direction by `l2`. */
  readonly ascend: (perturbation: Float64Array, gradient: Float64Array, step: number) => void;
  /** Back to the nearest point of the ball. */
  readonly project: (perturbation: Float64Array) => void;
}

/** @param epsilon above 0 */
export function normBall(norm: NormName, epsilon: number): NormBall {
  return norm === 'linf' ? largestBall(epsilon) : euclideanBall(epsilon);
}

function largestBall(epsilon: number): NormBall {
  return {
    norm: 'linf',
    epsilon,
    draw(random, into) {
      for (let i = 0; i < into.length; i++) into[i] = epsilon * (2 * random.uniform() - 1);
    },
    ascend(perturbation, gradient, step) {
      for (let i = 0; i < perturbation.length; i++) perturbation[i]! += step * Math.sign(gradient[i]!);
    },
    project(perturbation) {
      for (let i = 0; i < perturbation.length; i++)
        perturbation[i] = Math.min(epsilon, Math.max(-epsilon, perturbation[i]!));
    },
  };
}

function euclideanBall(epsilon: number): NormBall {
  return {
    norm: 'l2',
    epsilon,
    draw(random, into) {
      for (let i = 0; i < into.length; i++) into[i] = random.normal();
      // The volume within r of the middle grows as r^n.
      const radius = epsilon * random.uniform() ** (1 / into.length);
      const scale = radius / (euclideanLength(into) || 1);
      for (let i = 0; i < into.length; i++) into[i]! *= scale;
    },
    ascend(perturbation, gradient, step) {
      const length = euclideanLength(gradient);
      if (length === 0) return;
      for (let i = 0; i < perturbation.length; i++) perturbation[i]! += (step / length) * gradient[i]!;
    },
    project(perturbation) {
      const length = euclideanLength(perturbation);
      if (length <= epsilon) return;
      for (let i = 0; i < perturbation.length; i++) perturbation[i]! *= epsilon / length;
    },
  };
}

/** Scaled by the largest value, so that the squares of a tiny gradient do not vanish. */
export function euclideanLength(values: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  if (largest === 0) return 0;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! / largest) ** 2;
  return largest * Math.sqrt(sum);
}
