import type { KernelArguments } from '../kernel-arguments.js';
import type { OnHost } from '../storage.js';

// Half an ulp of float32, and the smallest number it holds.
const U = 2 ** -24;
const TINY = 2 ** -149;

/**
 * One step in double, and how far float32 arithmetic may be from it: every constant, product and sum is rounded once, which
 * adds up to a multiple of the unit roundoff U times the sum of the sizes of the terms.
 */
export function sgdStepReference(inputs: OnHost<KernelArguments['sgdStep']>) {
  const { count, learningRate, momentum, weightDecay, nesterov, gradient } = inputs;
  const weights = Float64Array.from(inputs.weights);
  const velocity = Float64Array.from(inputs.velocity);
  const weightsBound = new Float64Array(count);
  const velocityBound = new Float64Array(velocity.length);
  for (let i = 0; i < count; i++) {
    // Without weight decay a weight that is NaN says nothing about its velocity.
    const decay = weightDecay === 0 ? 0 : weightDecay * weights[i]!;
    let update = gradient[i]! + decay;
    let size = Math.abs(gradient[i]!) + Math.abs(decay);
    if (momentum !== 0) {
      const sizeOfVelocity = Math.abs(momentum * velocity[i]!) + size;
      velocity[i] = momentum * velocity[i]! + update;
      velocityBound[i] = 7 * U * sizeOfVelocity + 4 * TINY;
      update = nesterov === 1 ? update + momentum * velocity[i]! : velocity[i]!;
      size = nesterov === 1 ? size + momentum * sizeOfVelocity : sizeOfVelocity;
    }
    weightsBound[i] = 13 * U * (Math.abs(weights[i]!) + Math.abs(learningRate) * size) + 8 * TINY;
    weights[i] = weights[i]! - learningRate * update;
  }
  return { weights, velocity, weightsBound, velocityBound };
}
