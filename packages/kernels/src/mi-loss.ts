import type { Tensor } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import { type PriorOptions, resolveLogZ, resolveMaps } from './mutual-information.js';
import { outputArray } from './pooling.js';
import { miLossReference } from './reference/mi-loss.js';

export interface MiLossOptions extends KernelOptions, PriorOptions {
  /** Arrays to write to instead of new ones. */
  readonly into?: { readonly loss?: Float32Array };
}

export interface MiLossResult {
  /** `[channels]`, in nats. */
  readonly loss: Tensor;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'miLoss'>;
  readonly result: Omit<MiLossResult, 'backend'>;
}

function prepare(x: Tensor, options: MiLossOptions): Prepared {
  const params = resolveMaps(x, options);
  const z = resolveLogZ(params, options.logZ);
  const loss = outputArray('loss', options.into?.loss, params.channels, (size) => new Float32Array(size));
  return {
    call: {
      kernel: 'miLoss',
      arguments: { ...params, x: x.data, ...z, loss },
      runReference: () => loss.set(miLossReference(params, x.data, options.logZ?.data)),
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
export async function miLoss(x: Tensor, options: MiLossOptions = {}): Promise<MiLossResult> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: await run(call, options) };
}

/** As `miLoss`, on the calling thread: for small work. */
export function miLossSync(x: Tensor, options: MiLossOptions = {}): MiLossResult {
  const { call, result } = prepare(x, options);
  return { ...result, backend: runSync(call, options) };
}
