import { gradient as gradientComposite } from '@unitscope/autodiff';
import { sizeOf, zeros } from '@unitscope/tensor';
import { type Baseline, baselinePicture, describeBaseline, requireCount } from './baseline.js';
import { passCopies } from './copies.js';
import { explainBy } from './explain.js';
import type { Completeness, Method } from './method.js';
import { type Quadrature, type QuadratureName, quadrature } from './quadrature.js';

export interface IntegratedGradientsOptions {
  /** Pictures on the way from the baseline to the picture; 50 by default. */
  readonly steps?: number;
  /**
   * How the integral is taken; `gauss-legendre` by default, the more exact of the two. A rule of nodes and weights has
   * its own number of steps.
   */
  readonly quadrature?: QuadratureName | Quadrature;
  /** Where the way begins; 0, the mean picture of a network whose input is centred, by default. */
  readonly baseline?: Baseline;
}

/** Part of the score's change that the sum of a map may miss before the result says so. */
const TOLERATED = 0.05;

/**
 * (x - b) · ∫ dS/dx(b + a(x - b)) da over a from 0 to 1, [N, C, H, W] (Sundararajan, Taly, Yan 2017): what every pixel
 * adds to the score on the straight way from the baseline b. A map's sum is S(x) - S(b) but for the error of the
 * quadrature, which the result reports; it has a note where that is more than 5 %.
 *
 * Throws `wrong-use` for less than one step.
 */
export function integratedGradientsMethod(options: IntegratedGradientsOptions = {}): Method {
  const { quadrature: rule = 'gauss-legendre', baseline = 0 } = options;
  const steps = typeof rule === 'string' ? (options.steps ?? 50) : rule.nodes.length;
  requireCount('steps', steps);
  const composite = gradientComposite;
  return {
    name: 'integrated-gradients',
    summary: 'what every pixel adds to the score on the way from a baseline',
    form: 'signed',
    composite,
    parameters: {
      steps,
      quadrature: typeof rule === 'string' ? rule : 'given',
      baseline: describeBaseline(baseline),
    },
    attribute: async (passes, batch) => {
      const from = baselinePicture(baseline, batch);
      const { score } = await passes.settle(batch);
      const length = sizeOf(batch.dims.slice(1));
      const { nodes, weights } = typeof rule === 'string' ? quadrature(rule, steps) : rule;
      const sums = score.map(() => new Float64Array(length));
      const write = (target: Float32Array, sample: number, step: number) => {
        const node = nodes[step]!;
        const at = sample * length;
        for (let i = 0; i < length; i++) {
          const start = from.data[i]!;
          target[i] = start + node * (batch.data[at + i]! - start);
        }
      };
      await passCopies(passes, batch, { composite }, { count: steps, write }, (signal, sample, step) => {
        const sum = sums[sample]!;
        const weight = weights[step]!;
        for (let i = 0; i < length; i++) sum[i]! += weight * signal[i]!;
      });
      const baselineScores = await passes.scores(from);
      const map = zeros(batch.dims);
      const completeness = sums.map((sum, sample): Completeness => {
        const at = sample * length;
        let total = 0;
        for (let i = 0; i < length; i++) {
          const value = (batch.data[at + i]! - from.data[i]!) * sum[i]!;
          map.data[at + i] = value;
          total += value;
        }
        const change = score[sample]! - baselineScores[sample]!;
        return {
          sum: total,
          score: score[sample]!,
          baselineScore: baselineScores[sample]!,
          difference: total - change,
        };
      });
      return { map, completeness, notes: notesOn(completeness, steps) };
    },
  };
}

function notesOn(completeness: readonly Completeness[], steps: number): string[] {
  const off = completeness.flatMap(({ difference, score, baselineScore }, n) =>
    Math.abs(difference) > TOLERATED * Math.abs(score - baselineScore) ? [n] : [],
  );
  if (off.length === 0) return [];
  const which = completeness.length === 1 ? 'the map' : `the map of picture ${off.join(', ')}`;
  return [
    `integrated-gradients: ${which} misses the change of the score by more than ${100 * TOLERATED} %; take more than ${steps} steps`,
  ];
}

/** See `integratedGradientsMethod`, with its defaults. */
export const integratedGradients = explainBy(integratedGradientsMethod());
