import { sizeOf, type Tensor } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import { outputArray, type PoolWindow, pooledDims, requireDims, resolvePooling } from './pooling.js';
import { maxPoolBackwardReference } from './reference/max-pool-backward.js';
import { type SignalRule, signalRuleNumber } from './signal-rule.js';

export interface MaxPoolBackwardOptions extends KernelOptions {
  /** The rule of the ReLU in front of the pooling, whose output x is. Default `none`: there is no ReLU to pass. */
  readonly rule?: SignalRule;
  /** Arrays to write to instead of new ones. */
  readonly into?: { readonly dx?: Float32Array };
}

export interface MaxPoolBackwardResult {
  /** The signal at x, or with a rule at the input of the ReLU that made x; dims as `x`. */
  readonly dx: Tensor;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'maxPoolBackward'>;
  readonly result: Omit<MaxPoolBackwardResult, 'backend'>;
}

function prepare(
  x: Tensor,
  dy: Tensor,
  window: PoolWindow,
  { rule = 'none', into = {} }: MaxPoolBackwardOptions,
): Prepared {
  const ruleNumber = signalRuleNumber(rule, ['none', 'gradient', 'guided', 'deconvnet']);
  const params = resolvePooling(x.dims, window);
  requireDims('x', x, x.dims);
  requireDims('dy', dy, pooledDims(x.dims, params));
  const dx = outputArray('dx', into.dx, sizeOf(x.dims), (size) => new Float32Array(size));
  return {
    call: {
      kernel: 'maxPoolBackward',
      arguments: { params, rule: ruleNumber, x: x.data, dy: dy.data, dx },
      runReference: () => dx.set(maxPoolBackwardReference(params, rule, x.data, dy.data).dx),
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
export async function maxPoolBackward(
  x: Tensor,
  dy: Tensor,
  window: PoolWindow,
  options: MaxPoolBackwardOptions = {},
): Promise<MaxPoolBackwardResult> {
  const { call, result } = prepare(x, dy, window, options);
  return { ...result, backend: await run(call, options) };
}

/** As `maxPoolBackward`, on the calling thread: for small work. */
export function maxPoolBackwardSync(
  x: Tensor,
  dy: Tensor,
  window: PoolWindow,
  options: MaxPoolBackwardOptions = {},
): MaxPoolBackwardResult {
  const { call, result } = prepare(x, dy, window, options);
  return { ...result, backend: runSync(call, options) };
}
