import { UnitscopeError } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray } from './device-buffer.js';
import { sgdStepReference } from './reference/sgd-step.js';

/**
 * Parameters as one flat array, and what belongs to each of them. Each may be a typed array or a DeviceBuffer; what is
 * updated is updated where it lies.
 */
export interface SgdArrays {
  readonly gradient: AnyArray;
  /** Updated in place. */
  readonly weights: AnyArray;
  /** Updated in place; needed with momentum. Zeros before the first step. */
  readonly velocity?: AnyArray;
}

export interface SgdStepOptions extends KernelOptions {
  readonly learningRate: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Added to the gradient as weightDecay w. Default 0. */
  readonly weightDecay?: number;
  /** Looks one step ahead; needs a momentum. Default false. */
  readonly nesterov?: boolean;
}

export function requireLength(name: string, found: number, expected: number): void {
  if (found !== expected)
    throw new UnitscopeError(
      'bad-input',
      `${name} must have ${expected} elements as the weights do, it has ${found}`,
      { subject: name },
    );
}

function prepare(arrays: SgdArrays, options: SgdStepOptions): KernelCall<'sgdStep'> {
  const { gradient, weights, velocity } = arrays;
  const { learningRate, momentum = 0, weightDecay = 0, nesterov = false } = options;
  requireLength('gradient', gradient.length, weights.length);
  if (momentum !== 0 && velocity === undefined)
    throw new UnitscopeError('wrong-use', 'momentum needs a velocity, zeros before the first step', {
      subject: 'velocity',
    });
  if (velocity !== undefined) requireLength('velocity', velocity.length, weights.length);
  const call = {
    count: weights.length,
    learningRate,
    momentum,
    weightDecay,
    nesterov: nesterov ? 1 : 0,
    gradient,
    weights,
    velocity: momentum === 0 || velocity === undefined ? new Float32Array(0) : velocity,
  };
  return {
    kernel: 'sgdStep',
    arguments: call,
    runReference: (host) => {
      const found = sgdStepReference(host);
      host.weights.set(found.weights);
      host.velocity.set(found.velocity);
    },
  };
}

/**
 * One step of stochastic gradient descent with momentum, in place, dampening 0, PyTorch's convention: d = g + weightDecay w,
 * v = momentum v + d, w -= learningRate v (with Nesterov: d + momentum v). The learning rate is outside the velocity, so a
 * change of it takes effect at once.
 *
 * Exact: each of these is one float32 operation in the order written, so `cpu` and `cuda` give the same bits. NaN spreads.
 * The arrays must not be transferred or written to until the promise is settled.
 */
export async function sgdStep(
  arrays: SgdArrays,
  options: SgdStepOptions,
): Promise<{ readonly backend: BackendName }> {
  const call = prepare(arrays, options);
  return { backend: await run(call, options) };
}

/** As `sgdStep`, on the calling thread: for small work. */
export function sgdStepSync(arrays: SgdArrays, options: SgdStepOptions): { readonly backend: BackendName } {
  return { backend: runSync(prepare(arrays, options), options) };
}
