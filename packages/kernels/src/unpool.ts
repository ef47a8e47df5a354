import { sizeOf, type Tensor, unknownName } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import { outputArray, type PoolWindow, pooledDims, requireDims, resolvePooling } from './pooling.js';
import { unpoolReference } from './reference/unpool.js';
import { type SignalRule, signalRuleNumber } from './signal-rule.js';

/**
 * What happens where overlapping windows chose the same cell: their values are added, as in the gradient, or the last
 * window in row-major order wins, as in ONNX's MaxUnpool, which loses mass.
 */
export type UnpoolMode = 'accumulate' | 'overwrite';

const MODES = { accumulate: 0, overwrite: 1 } as const satisfies Record<UnpoolMode, number>;

export interface UnpoolOptions extends KernelOptions {
  /** Default `accumulate`. */
  readonly mode?: UnpoolMode;
  /** `deconvnet` rectifies the reconstruction. The other rules need the pooling's input: `maxPoolBackward`. Default `none`. */
  readonly rule?: Extract<SignalRule, 'none' | 'deconvnet'>;
  /** Arrays to write to instead of new ones. */
  readonly into?: { readonly x?: Float32Array };
}

export interface UnpoolResult {
  /** `[..., height, width]`, zero where no switch points. */
  readonly x: Tensor;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'unpool'>;
  readonly result: Omit<UnpoolResult, 'backend'>;
}

function prepare(
  y: Tensor,
  switches: Tensor<Uint8Array>,
  size: readonly [number, number],
  window: PoolWindow,
  { mode = 'accumulate', rule = 'none', into = {} }: UnpoolOptions,
): Prepared {
  if (MODES[mode] === undefined)
    throw unknownName('unpool mode', String(mode), Object.keys(MODES), 'wrong-use');
  const ruleNumber = signalRuleNumber(rule, ['none', 'deconvnet']);
  const dims = [...y.dims.slice(0, -2), ...size];
  const params = resolvePooling(dims, window);
  requireDims('y', y, pooledDims(dims, params));
  requireDims('switches', switches, y.dims);
  const x = outputArray('x', into.x, sizeOf(dims), (length) => new Float32Array(length));
  return {
    call: {
      kernel: 'unpool',
      arguments: { params, mode: MODES[mode], rule: ruleNumber, y: y.data, switches: switches.data, x },
      runReference: () => x.set(unpoolReference(params, mode, rule, y.data, switches.data).x),
    },
    result: { x: { dims, data: x } },
  };
}

/**
 * Unpooling by switches (Zeiler and Fergus, arXiv:1311.2901): puts every value back where its maximum was,
 * x[cell] = rule(sum over the windows whose switch is the cell of y[window]). With `accumulate` it is the gradient of
 * max-pooling.
 *
 * Throws `bad-input` where a switch lies outside its window, `wrong-use` for an unknown mode or rule. The arrays must not be transferred or written to until the
 * promise is settled.
 *
 * @param y `[..., outHeight, outWidth]`
 * @param switches as `maxPool` gives them, dims as `y`
 * @param size height and width of the planes that were pooled
 * @param window the pooling that is undone
 */
export async function unpool(
  y: Tensor,
  switches: Tensor<Uint8Array>,
  size: readonly [number, number],
  window: PoolWindow,
  options: UnpoolOptions = {},
): Promise<UnpoolResult> {
  const { call, result } = prepare(y, switches, size, window, options);
  return { ...result, backend: await run(call, options) };
}

/** As `unpool`, on the calling thread: for small work. */
export function unpoolSync(
  y: Tensor,
  switches: Tensor<Uint8Array>,
  size: readonly [number, number],
  window: PoolWindow,
  options: UnpoolOptions = {},
): UnpoolResult {
  const { call, result } = prepare(y, switches, size, window, options);
  return { ...result, backend: runSync(call, options) };
}
