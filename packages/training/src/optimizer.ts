import { adamStep, adamStepSync, sgdStep, sgdStepSync } from '@unitscope/kernels';
import { UnitscopeError } from '@unitscope/tensor';

/** How gradients become changes of the parameters: plain data, recorded with every result. */
export type Optimizer = Sgd | Adam;

export interface Sgd {
  readonly kind: 'sgd';
  readonly momentum: number;
  /** Added to the gradient as weightDecay w. */
  readonly weightDecay: number;
  readonly nesterov: boolean;
}

export interface Adam {
  readonly kind: 'adam';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Lets the decay act on the weights alone: AdamW. */
  readonly decoupled: boolean;
}

/** Stochastic gradient descent; see `sgdStep` of @unitscope/kernels for the formula. Throws `wrong-use`. */
export function sgd(options: Partial<Omit<Sgd, 'kind'>> = {}): Sgd {
  const { momentum = 0.9, weightDecay = 0, nesterov = false } = options;
  requireRange('momentum', momentum, 0, 1);
  requireRange('weightDecay', weightDecay, 0, Number.POSITIVE_INFINITY);
  if (nesterov && momentum === 0) throw new UnitscopeError('wrong-use', 'nesterov needs a momentum');
  return { kind: 'sgd', momentum, weightDecay, nesterov };
}

/** Adam, or AdamW with `decoupled`; see `adamStep` of @unitscope/kernels for the formula. Throws `wrong-use`. */
export function adam(options: Partial<Omit<Adam, 'kind'>> = {}): Adam {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0, decoupled = false } = options;
  requireRange('beta1', beta1, 0, 1);
  requireRange('beta2', beta2, 0, 1);
  requireRange('epsilon', epsilon, 0, Number.POSITIVE_INFINITY);
  requireRange('weightDecay', weightDecay, 0, Number.POSITIVE_INFINITY);
  return { kind: 'adam', beta1, beta2, epsilon, weightDecay, decoupled };
}

function requireRange(name: string, value: number, low: number, high: number): void {
  if (value >= low && value < high) return;
  const range = high === Number.POSITIVE_INFINITY ? `${low} or more` : `from ${low} to below ${high}`;
  throw new UnitscopeError('wrong-use', `${name} must be ${range}, it is ${value}`, { subject: name });
}

/** What an optimizer keeps of each parameter from step to step, in arrays of its size that begin as zeros. */
export function slotsOf(optimizer: Optimizer): readonly string[] {
  if (optimizer.kind === 'adam') return ['mean', 'square'];
  return optimizer.momentum === 0 ? [] : ['velocity'];
}

export interface Parameter {
  readonly name: string;
  readonly dims: readonly number[];
  /** Fed to the session as it lies, and updated where it lies. */
  readonly weights: Float32Array;
  readonly slots: ReadonlyMap<string, Float32Array>;
  /** What the learning rate and the weight decay are multiplied by. */
  readonly rateFactor: number;
  readonly decayFactor: number;
}

/** Below so many elements a step takes less time than a turn of the event loop. */
const SMALL = 2 ** 16;

/** One step of one parameter, in place. `step` counts from 1. */
export async function updateParameter(
  optimizer: Optimizer,
  { weights, slots, rateFactor, decayFactor }: Parameter,
  gradient: Float32Array,
  { learningRate, step, threads }: { learningRate: number; step: number; threads: number | undefined },
): Promise<void> {
  const common = {
    learningRate: learningRate * rateFactor,
    weightDecay: optimizer.weightDecay * decayFactor,
    ...(threads === undefined ? {} : { threads }),
  };
  const isSmall = weights.length < SMALL;
  if (optimizer.kind === 'sgd') {
    const { momentum, nesterov } = optimizer;
    const velocity = slots.get('velocity');
    const arrays = { gradient, weights, ...(velocity === undefined ? {} : { velocity }) };
    const options = { ...common, momentum, nesterov };
    if (isSmall) sgdStepSync(arrays, { ...options, threads: 1 });
    else await sgdStep(arrays, options);
    return;
  }
  const { beta1, beta2, epsilon, decoupled } = optimizer;
  const arrays = { gradient, weights, mean: slots.get('mean')!, square: slots.get('square')! };
  const options = { ...common, step, beta1, beta2, epsilon, decoupled };
  if (isSmall) adamStepSync(arrays, { ...options, threads: 1 });
  else await adamStep(arrays, options);
}
