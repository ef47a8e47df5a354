import type { KernelArguments } from '../kernel-arguments.js';
import type { OnHost } from '../storage.js';

// Half an ulp of float32, and the smallest number it holds.
const U = 2 ** -24;
const TINY = 2 ** -149;

/**
 * One step in double, and how far float32 arithmetic may be from it: every operation is rounded once, and the errors of the
 * mean and of the root are carried through the quotient.
 */
export function adamStepReference(inputs: OnHost<KernelArguments['adamStep']>) {
  const { count, step, learningRate, beta1, beta2, epsilon, weightDecay, decoupled, gradient } = inputs;
  const weights = Float64Array.from(inputs.weights);
  const mean = Float64Array.from(inputs.mean);
  const square = Float64Array.from(inputs.square);
  const weightsBound = new Float64Array(count);
  const meanBound = new Float64Array(count);
  const squareBound = new Float64Array(count);
  const corrected = (beta: number) => 1 - beta ** step;
  for (let i = 0; i < count; i++) {
    // Without weight decay a weight that is NaN says nothing about the means.
    const decay = weightDecay === 0 ? 0 : weightDecay * weights[i]!;
    const coupled = decoupled === 1 ? 0 : decay;
    const g = gradient[i]! + coupled;
    const size = Math.abs(gradient[i]!) + Math.abs(coupled);
    if (decoupled === 1) weights[i] = weights[i]! - learningRate * decay;

    meanBound[i] = 7 * U * (beta1 * Math.abs(mean[i]!) + (1 - beta1) * size) + 4 * TINY;
    squareBound[i] = 13 * U * (beta2 * square[i]! + (1 - beta2) * size ** 2) + 8 * TINY;
    mean[i] = beta1 * mean[i]! + (1 - beta1) * g;
    square[i] = beta2 * square[i]! + (1 - beta2) * g ** 2;

    const scale = Math.sqrt(corrected(beta2));
    const root = Math.sqrt(square[i]!) / scale + epsilon;
    // |sqrt(p) - sqrt(q)| is at most sqrt(|p - q|), and at most |p - q| / sqrt(q).
    const ofRoot =
      Math.min(Math.sqrt(squareBound[i]!), squareBound[i]! / Math.sqrt(square[i]!)) / scale + 4 * U * root;
    const quotient = Math.abs(mean[i]!) / root;
    const ofQuotient =
      (meanBound[i]! + (quotient + meanBound[i]! / root) * ofRoot) / Math.max(root - ofRoot, epsilon);
    const rate = learningRate / corrected(beta1);
    weightsBound[i] =
      Math.abs(rate) * (ofQuotient + 5 * U * quotient) +
      4 * U * (Math.abs(weights[i]!) + Math.abs(rate) * quotient) +
      TINY;
    weights[i] = weights[i]! - (rate * mean[i]!) / root;
  }
  return { weights, mean, square, weightsBound, meanBound, squareBound };
}
