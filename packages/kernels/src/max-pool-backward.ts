import { sizeOf } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { type PoolWindow, pooledDims, requireDims, resolvePooling } from './pooling.js';
import { maxPoolBackwardReference } from './reference/max-pool-backward.js';
import { outputLike } from './storage.js';

export interface MaxPoolBackwardOptions<P extends Place = 'host'> extends KernelOptions {
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly dx?: ArrayIn<P> };
}

export interface MaxPoolBackwardResult<P extends Place = 'host'> {
  /** dS/dx, dims as `x`. */
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
  { into = {} }: MaxPoolBackwardOptions<Place>,
): Prepared {
  const params = resolvePooling(x.dims, window);
  requireDims('x', x, x.dims);
  requireDims('dy', dy, pooledDims(x.dims, params));
  const dx = outputLike(x.data, 'dx', into.dx, Float32Array, sizeOf(x.dims));
  return {
    call: {
      kernel: 'maxPoolBackward',
      arguments: { params, x: x.data, dy: dy.data, dx },
      runReference: (host) => host.dx.set(maxPoolBackwardReference(params, host.x, host.dy).dx),
    },
    result: { dx: { dims: [...x.dims], data: dx } },
  };
}

/**
 * The gradient of max-pooling from its input alone: finds the switches again and unpools `dy` by them, accumulating.
 * Ties and NaN as in `maxPool`. The arrays must not be transferred or written to until the promise is settled.
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
