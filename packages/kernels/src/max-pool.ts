import { sizeOf } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { type PoolWindow, pooledDims, requireDims, resolvePooling } from './pooling.js';
import { maxPoolReference } from './reference/max-pool.js';
import { outputLike } from './storage.js';

export interface MaxPoolOptions<P extends Place = 'host'> extends KernelOptions {
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly y?: ArrayIn<P>; readonly switches?: ArrayIn<P, Uint8Array> };
}

export interface MaxPoolResult<P extends Place = 'host'> {
  /** The maxima, `[..., outHeight, outWidth]`. */
  readonly y: TensorIn<P>;
  /** Of each window, which cell won: row * kernelWidth + column inside the window. Dims as `y`. */
  readonly switches: TensorIn<P, Uint8Array>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'maxPool'>;
  readonly result: Omit<MaxPoolResult<Place>, 'backend'>;
}

function prepare(x: AnyTensor, window: PoolWindow, { into = {} }: MaxPoolOptions<Place>): Prepared {
  const params = resolvePooling(x.dims, window);
  requireDims('x', x, x.dims);
  const dims = pooledDims(x.dims, params);
  const y = outputLike(x.data, 'y', into.y, Float32Array, sizeOf(dims));
  const switches = outputLike(x.data, 'switches', into.switches, Uint8Array, sizeOf(dims));
  return {
    call: {
      kernel: 'maxPool',
      arguments: { params, x: x.data, y, switches },
      runReference: (host) => {
        const reference = maxPoolReference(params, host.x);
        host.y.set(reference.y);
        host.switches.set(reference.switches);
      },
    },
    result: { y: { dims, data: y }, switches: { dims, data: switches } },
  };
}

/**
 * Max-pooling that remembers where each maximum was, Zeiler and Fergus' switches (arXiv:1311.2901):
 * y = max over the window, switch = the cell that won.
 *
 * The first maximum in row-major order wins a tie; padding never wins; a window with a NaN gives NaN, and its switch is
 * the first one. Exact. The arrays must not be transferred or written to until the promise is settled.
 *
 * @param x `[..., height, width]`
 */
export function maxPool<S extends AnyArray>(
  x: TensorOver<S>,
  window: PoolWindow,
  options?: MaxPoolOptions<PlaceOf<S>>,
): Promise<MaxPoolResult<PlaceOf<S>>>;
export async function maxPool(
  x: AnyTensor,
  window: PoolWindow,
  options: MaxPoolOptions<Place> = {},
): Promise<MaxPoolResult<Place>> {
  const { call, result } = prepare(x, window, options);
  return { ...result, backend: await run(call, options) };
}

/** As `maxPool`, on the calling thread: for small work. */
export function maxPoolSync<S extends AnyArray>(
  x: TensorOver<S>,
  window: PoolWindow,
  options?: MaxPoolOptions<PlaceOf<S>>,
): MaxPoolResult<PlaceOf<S>>;
export function maxPoolSync(
  x: AnyTensor,
  window: PoolWindow,
  options: MaxPoolOptions<Place> = {},
): MaxPoolResult<Place> {
  const { call, result } = prepare(x, window, options);
  return { ...result, backend: runSync(call, options) };
}
