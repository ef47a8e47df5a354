import { adamStepSync } from '@unitscope/kernels';
import { LUCID, SIMONYAN, type StepValue, YOSINSKI } from './step-value.js';

/** How parameters move with the gradient of what is to grow. */
export interface Optimiser extends StepValue {
  /**
   * @param count samples, each of the same share of the parameters, which move independently
   * @returns makes one step in place; `gradient` may be overwritten
   */
  readonly start: (count: number) => (parameters: Float32Array, gradient: Float32Array) => void;
}

/** x <- x + rate g. */
export function gradientAscent(rate: number): Optimiser {
  return perSample({ name: 'gradient-ascent', paper: SIMONYAN, options: { rate } }, () => rate);
}

/** x <- x + rate g / (||g||_2 + 1e-8), the norm of each sample's own gradient: steps of one length. */
export function normalisedAscent(rate: number): Optimiser {
  return perSample(
    { name: 'normalised-ascent', paper: LUCID, options: { rate } },
    (square) => rate / (Math.sqrt(square) + 1e-8),
  );
}

/**
 * x <- x + min(most, gain / ||g||^2) g: to first order, every step raises the objective by `gain` (the policy `progress`
 * of Yosinski's toolbox).
 */
export function progressAscent(gain: number, most: number): Optimiser {
  return perSample({ name: 'progress-ascent', paper: YOSINSKI, options: { gain, most } }, (square) =>
    square === 0 ? 0 : Math.min(most, gain / square),
  );
}

function perSample(value: StepValue, rateOf: (squaredNorm: number) => number): Optimiser {
  return {
    ...value,
    start: (count) => (parameters, gradient) => {
      const length = parameters.length / count;
      for (let sample = 0; sample < count; sample++) {
        const [from, end] = [sample * length, (sample + 1) * length];
        let square = 0;
        for (let i = from; i < end; i++) square += gradient[i]! * gradient[i]!;
        const rate = rateOf(square);
        for (let i = from; i < end; i++) parameters[i]! += rate * gradient[i]!;
      }
    },
  };
}

/** Adam with its usual constants (beta 0.9 and 0.999, epsilon 1e-8), upwards. */
export function adam(rate: number): Optimiser {
  return {
    ...{ name: 'adam', paper: 'Kingma, Ba 2014, arXiv:1412.6980', options: { rate } },
    start: () => {
      let state: { readonly mean: Float32Array; readonly square: Float32Array } | undefined;
      let step = 0;
      return (weights, gradient) => {
        state ??= { mean: new Float32Array(weights.length), square: new Float32Array(weights.length) };
        for (let i = 0; i < gradient.length; i++) gradient[i] = -gradient[i]!;
        adamStepSync({ gradient, weights, ...state }, { step: ++step, learningRate: rate });
      };
    },
  };
}
