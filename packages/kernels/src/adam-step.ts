import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray } from './device-buffer.js';
import { adamStepReference } from './reference/adam-step.js';
import { requireLength } from './sgd-step.js';

/**
 * Parameters as one flat array, and what belongs to each of them. Each may be a typed array or a DeviceBuffer; what is
 * updated is updated where it lies.
 */
export interface AdamArrays {
  readonly gradient: AnyArray;
  /** Updated in place. */
  readonly weights: AnyArray;
  /** The running mean of the gradient, updated in place. Zeros before the first step. */
  readonly mean: AnyArray;
  /** The running mean of its square, updated in place. Zeros before the first step. */
  readonly square: AnyArray;
}

export interface AdamStepOptions extends KernelOptions {
  /** The number of this step, from 1: corrects the bias of means that began at zero. */
  readonly step: number;
  /** Default 0.001. */
  readonly learningRate?: number;
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Added to the corrected root. Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** Lets weight decay act on the weights alone instead of on the gradient: AdamW. Default false. */
  readonly decoupled?: boolean;
}

function prepare(arrays: AdamArrays, options: AdamStepOptions): KernelCall<'adamStep'> {
  const { gradient, weights, mean, square } = arrays;
  const { step, learningRate = 0.001, beta1 = 0.9, beta2 = 0.999 } = options;
  const { epsilon = 1e-8, weightDecay = 0, decoupled = false } = options;
  requireLength('gradient', gradient.length, weights.length);
  requireLength('mean', mean.length, weights.length);
  requireLength('square', square.length, weights.length);
  const call = {
    count: weights.length,
    step,
    learningRate,
    beta1,
    beta2,
    epsilon,
    weightDecay,
    decoupled: decoupled ? 1 : 0,
    gradient,
    weights,
    mean,
    square,
  };
  return {
    kernel: 'adamStep',
    arguments: call,
    runReference: (host) => {
      const found = adamStepReference(host);
      host.weights.set(found.weights);
      host.mean.set(found.mean);
      host.square.set(found.square);
    },
  };
}

/**
 * One step of Adam (Kingma and Ba, arXiv:1412.6980) or AdamW (Loshchilov and Hutter, arXiv:1711.05101), in place:
 * m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
 * w -= learningRate / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + epsilon).
 *
 * Exact: float32 operations in the order that native/include/unitscope/adam_step.h writes down, so `cpu` and `cuda` give the
 * same bits. NaN spreads. The arrays must not be transferred or written to until the promise is settled.
 */
export async function adamStep(
  arrays: AdamArrays,
  options: AdamStepOptions,
): Promise<{ readonly backend: BackendName }> {
  const call = prepare(arrays, options);
  return { backend: await run(call, options) };
}

/** As `adamStep`, on the calling thread: for small work. */
export function adamStepSync(
  arrays: AdamArrays,
  options: AdamStepOptions,
): { readonly backend: BackendName } {
  return { backend: runSync(prepare(arrays, options), options) };
}
