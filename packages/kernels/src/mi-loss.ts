import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { type PriorOptions, resolveLogZ, resolveMaps } from './mutual-information.js';
import { miLossReference } from './reference/mi-loss.js';
import { outputLike } from './storage.js';

export interface MiLossOptions<P extends Place = 'host'> extends KernelOptions, PriorOptions {
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly loss?: ArrayIn<P> };
}

export interface MiLossResult<P extends Place = 'host'> {
  /** `[channels]`, in nats. */
  readonly loss: TensorIn<P>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'miLoss'>;
  readonly result: Omit<MiLossResult<Place>, 'backend'>;
}

function prepare(x: AnyTensor, options: MiLossOptions<Place>): Prepared {
  const params = resolveMaps(x, options);
  const z = resolveLogZ(params, options.logZ);
  const loss = outputLike(x.data, 'loss', options.into?.loss, Float32Array, params.channels);
  return {
    call: {
      kernel: 'miLoss',
      arguments: { ...params, x: x.data, ...z, loss },
      runReference: (host) =>
        host.loss.set(miLossReference(params, host.x, z.constantZ === 1 ? host.logZ : undefined)),
    },
    result: { loss: { dims: [params.channels], data: loss } },
  };
}

/**
 * The filter loss of an interpretable CNN (arXiv:1710.00935, equation 5), minus the mutual information between a
 * filter's maps and the templates: loss = -sum_T p(T) sum_x p(x|T) log(p(x|T) / p(x)).
 *
 * In double and in the log domain: no activation overflows. A filter with a map that holds NaN or an infinity has the
 * loss NaN. The arrays must not be transferred or written to until the promise is settled.
 *
 * @param x `[batch, channels, n, n]`, n at most 256
 */
export function miLoss<S extends AnyArray>(
  x: TensorOver<S>,
  options?: MiLossOptions<PlaceOf<S>>,
): Promise<MiLossResult<PlaceOf<S>>>;
export async function miLoss(x: AnyTensor, options: MiLossOptions<Place> = {}): Promise<MiLossResult<Place>> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: await run(call, options) };
}

/** As `miLoss`, on the calling thread: for small work. */
export function miLossSync<S extends AnyArray>(
  x: TensorOver<S>,
  options?: MiLossOptions<PlaceOf<S>>,
): MiLossResult<PlaceOf<S>>;
export function miLossSync(x: AnyTensor, options: MiLossOptions<Place> = {}): MiLossResult<Place> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: runSync(call, options) };
}
