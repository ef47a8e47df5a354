import { sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import { outputArray, requireDims } from './pooling.js';
import { maskBackwardReference } from './reference/mask-backward.js';
import { resolveMask, type TemplateShape } from './template-mask.js';

export interface MaskBackwardOptions extends KernelOptions, TemplateShape {
  /**
   * The maps that were masked. Without them every cell is taken to be positive: dx = dy * max(T_mu, 0), the same behind a
   * layer that itself passes nothing on where its output is 0, such as a ReLU, and less memory is read.
   */
  readonly x?: Tensor;
  /** Arrays to write to instead of new ones. */
  readonly into?: { readonly dx?: Float32Array };
}

export interface MaskBackwardResult {
  /** dS/dx, dims as `dy`. */
  readonly dx: Tensor;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'maskBackward'>;
  readonly result: Omit<MaskBackwardResult, 'backend'>;
}

function prepare(dy: Tensor, mu: Tensor<Int32Array>, options: MaskBackwardOptions): Prepared {
  const { x, into = {} } = options;
  const { params, beta } = resolveMask(dy.dims, options);
  requireDims('dy', dy, dy.dims);
  requireDims('mu', mu, dy.dims.slice(0, -2));
  if (x !== undefined) requireDims('x', x, dy.dims);
  // Here and not in the kernel, since a device does not check.
  const wrong = mu.data.findIndex((cell) => cell < 0 || cell >= params.size ** 2);
  if (wrong >= 0) {
    throw new UnitscopeError(
      'bad-input',
      `mu[${wrong}] is ${mu.data[wrong]}, which is no cell of a map of ${params.size} x ${params.size}`,
      { subject: 'mu' },
    );
  }
  const dx = outputArray('dx', into.dx, sizeOf(dy.dims), (size) => new Float32Array(size));
  return {
    call: {
      kernel: 'maskBackward',
      arguments: {
        ...params,
        withX: x === undefined ? 0 : 1,
        dy: dy.data,
        x: x?.data ?? new Float32Array(0),
        beta,
        mu: mu.data,
        dx,
      },
      runReference: () => dx.set(maskBackwardReference(params, dy.data, x?.data, beta, mu.data).dx),
    },
    result: { dx: { dims: [...dy.dims], data: dx } },
  };
}

/**
 * The gradient of `maskForward` with the parts' places held constant: dx = dy * T_mu where x * T_mu > 0, else 0. As for a
 * ReLU the derivative at 0 is 0. Height and beta must be those of the forward pass.
 *
 * Throws `bad-input` for dims that do not belong together and for a `mu` that is no cell. The arrays must not be
 * transferred or written to until the promise is settled.
 *
 * @param dy dS/dy, `[..., channels, n, n]`
 * @param mu as `maskForward` gives it
 */
export async function maskBackward(
  dy: Tensor,
  mu: Tensor<Int32Array>,
  options: MaskBackwardOptions = {},
): Promise<MaskBackwardResult> {
  const { call, result } = prepare(dy, mu, options);
  return { ...result, backend: await run(call, options) };
}

/** As `maskBackward`, on the calling thread: for small work. */
export function maskBackwardSync(
  dy: Tensor,
  mu: Tensor<Int32Array>,
  options: MaskBackwardOptions = {},
): MaskBackwardResult {
  const { call, result } = prepare(dy, mu, options);
  return { ...result, backend: runSync(call, options) };
}
