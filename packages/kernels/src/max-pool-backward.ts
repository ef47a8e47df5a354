import { sizeOf } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { type PoolWindow, pooledDims, requireDims, resolvePooling } from './pooling.js';
import { maxPoolBackwardReference } from './reference/max-pool-backward.js';
import { type SignalRule, signalRuleNumber } from './signal-rule.js';
import { outputLike } from './storage.js';

export interface MaxPoolBackwardOptions<P extends Place = 'host'> extends KernelOptions {
  /** The rule of the ReLU in front of the pooling, whose output x is. Default `none`: there is no ReLU to pass. */
  readonly rule?: SignalRule;
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly dx?: ArrayIn<P> };
}

export interface MaxPoolBackwardResult<P extends Place = 'host'> {
  /** The signal at x, or with a rule at the input of the ReLU that made x; dims as `x`. */
  readonly dx: TensorIn<P>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'maxPoolBackward'>;
  readonly result: Omit<MaxPoolBackwardResult<Place>, 'backend'>;
}

function prepare(
  x: AnyTensor,
  dy: AnyTensor,
  window: PoolWindow,
  { rule = 'none', into = {} }: MaxPoolBackwardOptions<Place>,
): Prepared {
  const ruleNumber = signalRuleNumber(rule, ['none', 'gradient', 'guided', 'deconvnet']);
  const params = resolvePooling(x.dims, window);
  requireDims('x', x, x.dims);
  requireDims('dy', dy, pooledDims(x.dims, params));
  const dx = outputLike(x.data, 'dx', into.dx, Float32Array, sizeOf(x.dims));
  return {
    call: {
      kernel: 'maxPoolBackward',
      arguments: { params, rule: ruleNumber, x: x.data, dy: dy.data, dx },
      runReference: (host) => host.dx.set(maxPoolBackwardReference(params, rule, host.x, host.dy).dx),
    },
    result: { dx: { dims: [...x.dims], data: dx } },
  };
}

/**
 * The gradient of max-pooling from its input alone: finds the switches again and unpools `dy` by them, accumulating.
 * Ties and NaN as in `maxPool`. A rule is applied once the signals of overlapping windows are added, in the same pass.
 *
 * Throws `wrong-use` for an unknown rule. The arrays must not be transferred or written to until the promise is settled.
 *
 * @param x the pooling's input, `[..., height, width]`
 * @param dy dS/dy, `[..., outHeight, outWidth]`
 */
export function maxPoolBackward<S extends AnyArray>(
  x: TensorOver<S>,
  dy: AnyTensor,
  window: PoolWindow,
  options?: MaxPoolBackwardOptions<PlaceOf<S>>,
): Promise<MaxPoolBackwardResult<PlaceOf<S>>>;
export async function maxPoolBackward(
  x: AnyTensor,
  dy: AnyTensor,
  window: PoolWindow,
  options: MaxPoolBackwardOptions<Place> = {},
): Promise<MaxPoolBackwardResult<Place>> {
  const { call, result } = prepare(x, dy, window, options);
  return { ...result, backend: await run(call, options) };
}

/** As `maxPoolBackward`, on the calling thread: for small work. */
export function maxPoolBackwardSync<S extends AnyArray>(
  x: TensorOver<S>,
  dy: AnyTensor,
  window: PoolWindow,
  options?: MaxPoolBackwardOptions<PlaceOf<S>>,
): MaxPoolBackwardResult<PlaceOf<S>>;
export function maxPoolBackwardSync(
  x: AnyTensor,
  dy: AnyTensor,
  window: PoolWindow,
  options: MaxPoolBackwardOptions<Place> = {},
): MaxPoolBackwardResult<Place> {
  const { call, result } = prepare(x, dy, window, options);
  return { ...result, backend: runSync(call, options) };
}
