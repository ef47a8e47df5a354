import { sizeOf, unknownName } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { type PoolWindow, pooledDims, requireDims, resolvePooling } from './pooling.js';
import { unpoolReference } from './reference/unpool.js';
import { type SignalRule, signalRuleNumber } from './signal-rule.js';
import { outputLike } from './storage.js';

/**
 * What happens where overlapping windows chose the same cell: their values are added, as in the gradient, or the last
 * window in row-major order wins, as in ONNX's MaxUnpool, which loses mass.
 */
export type UnpoolMode = 'accumulate' | 'overwrite';

const MODES = { accumulate: 0, overwrite: 1 } as const satisfies Record<UnpoolMode, number>;

export interface UnpoolOptions<P extends Place = 'host'> extends KernelOptions {
  /** Default `accumulate`. */
  readonly mode?: UnpoolMode;
  /** `deconvnet` rectifies the reconstruction. The other rules need the pooling's input: `maxPoolBackward`. Default `none`. */
  readonly rule?: Extract<SignalRule, 'none' | 'deconvnet'>;
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly x?: ArrayIn<P> };
}

export interface UnpoolResult<P extends Place = 'host'> {
  /** `[..., height, width]`, zero where no switch points. */
  readonly x: TensorIn<P>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'unpool'>;
  readonly result: Omit<UnpoolResult<Place>, 'backend'>;
}

function prepare(
  y: AnyTensor,
  switches: AnyTensor<Uint8Array>,
  size: readonly [number, number],
  window: PoolWindow,
  { mode = 'accumulate', rule = 'none', into = {} }: UnpoolOptions<Place>,
): Prepared {
  if (MODES[mode] === undefined)
    throw unknownName('unpool mode', String(mode), Object.keys(MODES), 'wrong-use');
  const ruleNumber = signalRuleNumber(rule, ['none', 'deconvnet']);
  const dims = [...y.dims.slice(0, -2), ...size];
  const params = resolvePooling(dims, window);
  requireDims('y', y, pooledDims(dims, params));
  requireDims('switches', switches, y.dims);
  const x = outputLike(y.data, 'x', into.x, Float32Array, sizeOf(dims));
  return {
    call: {
      kernel: 'unpool',
      arguments: { params, mode: MODES[mode], rule: ruleNumber, y: y.data, switches: switches.data, x },
      runReference: (host) => host.x.set(unpoolReference(params, mode, rule, host.y, host.switches).x),
    },
    result: { x: { dims, data: x } },
  };
}

/**
 * Unpooling by switches (Zeiler and Fergus, arXiv:1311.2901): puts every value back where its maximum was,
 * x[cell] = rule(sum over the windows whose switch is the cell of y[window]). With `accumulate` it is the gradient of
 * max-pooling.
 *
 * Throws `bad-input` where a switch lies outside its window, `wrong-use` for an unknown mode or rule. Switches that lie
 * on `cuda` are not looked at, and one that lies outside is ignored. The arrays must not be transferred or written to
 * until the promise is settled.
 *
 * @param y `[..., outHeight, outWidth]`
 * @param switches as `maxPool` gives them, dims as `y`
 * @param size height and width of the planes that were pooled
 * @param window the pooling that is undone
 */
export function unpool<S extends AnyArray>(
  y: TensorOver<S>,
  switches: AnyTensor<Uint8Array>,
  size: readonly [number, number],
  window: PoolWindow,
  options?: UnpoolOptions<PlaceOf<S>>,
): Promise<UnpoolResult<PlaceOf<S>>>;
export async function unpool(
  y: AnyTensor,
  switches: AnyTensor<Uint8Array>,
  size: readonly [number, number],
  window: PoolWindow,
  options: UnpoolOptions<Place> = {},
): Promise<UnpoolResult<Place>> {
  const { call, result } = prepare(y, switches, size, window, options);
  return { ...result, backend: await run(call, options) };
}

/** As `unpool`, on the calling thread: for small work. */
export function unpoolSync<S extends AnyArray>(
  y: TensorOver<S>,
  switches: AnyTensor<Uint8Array>,
  size: readonly [number, number],
  window: PoolWindow,
  options?: UnpoolOptions<PlaceOf<S>>,
): UnpoolResult<PlaceOf<S>>;
export function unpoolSync(
  y: AnyTensor,
  switches: AnyTensor<Uint8Array>,
  size: readonly [number, number],
  window: PoolWindow,
  options: UnpoolOptions<Place> = {},
): UnpoolResult<Place> {
  const { call, result } = prepare(y, switches, size, window, options);
  return { ...result, backend: runSync(call, options) };
}
