import { sizeOf, type Tensor } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import { outputArray, type PoolWindow, pooledDims, requireDims, resolvePooling } from './pooling.js';
import { maxPoolReference } from './reference/max-pool.js';

export interface MaxPoolOptions extends KernelOptions {
  /** Arrays to write to instead of new ones. */
  readonly into?: { readonly y?: Float32Array; readonly switches?: Uint8Array };
}

export interface MaxPoolResult {
  /** The maxima, `[..., outHeight, outWidth]`. */
  readonly y: Tensor;
  /** Of each window, which cell won: row * kernelWidth + column inside the window. Dims as `y`. */
  readonly switches: Tensor<Uint8Array>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'maxPool'>;
  readonly result: Omit<MaxPoolResult, 'backend'>;
}

function prepare(x: Tensor, window: PoolWindow, { into = {} }: MaxPoolOptions): Prepared {
  const params = resolvePooling(x.dims, window);
  requireDims('x', x, x.dims);
  const dims = pooledDims(x.dims, params);
  const y = outputArray('y', into.y, sizeOf(dims), (size) => new Float32Array(size));
  const switches = outputArray('switches', into.switches, sizeOf(dims), (size) => new Uint8Array(size));
  return {
    call: {
      kernel: 'maxPool',
      arguments: { params, x: x.data, y, switches },
      runReference: () => {
        const reference = maxPoolReference(params, x.data);
        y.set(reference.y);
        switches.set(reference.switches);
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
export async function maxPool(
  x: Tensor,
  window: PoolWindow,
  options: MaxPoolOptions = {},
): Promise<MaxPoolResult> {
  const { call, result } = prepare(x, window, options);
  return { ...result, backend: await run(call, options) };
}

/** As `maxPool`, on the calling thread: for small work. */
export function maxPoolSync(x: Tensor, window: PoolWindow, options: MaxPoolOptions = {}): MaxPoolResult {
  const { call, result } = prepare(x, window, options);
  return { ...result, backend: runSync(call, options) };
}
