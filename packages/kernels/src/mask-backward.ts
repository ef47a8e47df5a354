import { sizeOf, UnitscopeError } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import {
  type AnyArray,
  type AnyTensor,
  type ArrayIn,
  DeviceBuffer,
  type Place,
  type PlaceOf,
  type TensorIn,
  type TensorOver,
} from './device-buffer.js';
import { requireDims } from './pooling.js';
import { maskBackwardReference } from './reference/mask-backward.js';
import { outputLike } from './storage.js';
import { resolveMask, type TemplateShape } from './template-mask.js';

export interface MaskBackwardOptions<P extends Place = 'host'> extends KernelOptions, TemplateShape {
  /**
   * The maps that were masked. Without them every cell is taken to be positive: dx = dy * max(T_mu, 0), the same behind a
   * layer that itself passes nothing on where its output is 0, such as a ReLU, and less memory is read.
   */
  readonly x?: AnyTensor;
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly dx?: ArrayIn<P> };
}

export interface MaskBackwardResult<P extends Place = 'host'> {
  /** dS/dx, dims as `dy`. */
  readonly dx: TensorIn<P>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'maskBackward'>;
  readonly result: Omit<MaskBackwardResult<Place>, 'backend'>;
}

/** Here and not in the kernel, since a device does not check. */
function requireCells(mu: Int32Array, size: number): void {
  const wrong = mu.findIndex((cell) => cell < 0 || cell >= size ** 2);
  if (wrong >= 0) {
    throw new UnitscopeError(
      'bad-input',
      `mu[${wrong}] is ${mu[wrong]}, which is no cell of a map of ${size} x ${size}`,
      { subject: 'mu' },
    );
  }
}

function prepare(dy: AnyTensor, mu: AnyTensor<Int32Array>, options: MaskBackwardOptions<Place>): Prepared {
  const { x, into = {} } = options;
  const { params, beta } = resolveMask(dy.dims, options);
  requireDims('dy', dy, dy.dims);
  requireDims('mu', mu, dy.dims.slice(0, -2));
  if (x !== undefined) requireDims('x', x, dy.dims);
  if (!(mu.data instanceof DeviceBuffer)) requireCells(mu.data, params.size);
  const dx = outputLike(dy.data, 'dx', into.dx, Float32Array, sizeOf(dy.dims));
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
      runReference: (host) =>
        host.dx.set(
          maskBackwardReference(params, host.dy, x === undefined ? undefined : host.x, beta, host.mu).dx,
        ),
    },
    result: { dx: { dims: [...dy.dims], data: dx } },
  };
}

/**
 * The gradient of `maskForward` with the parts' places held constant: dx = dy * T_mu where x * T_mu > 0, else 0. As for a
 * ReLU the derivative at 0 is 0. Height and beta must be those of the forward pass.
 *
 * Throws `bad-input` for dims that do not belong together and for a `mu` that is no cell; a `mu` that lies on `cuda` is not
 * looked at, and its map gets zeros where it is no cell. The arrays must not be
 * transferred or written to until the promise is settled.
 *
 * @param dy dS/dy, `[..., channels, n, n]`
 * @param mu as `maskForward` gives it
 */
export function maskBackward<S extends AnyArray>(
  dy: TensorOver<S>,
  mu: AnyTensor<Int32Array>,
  options?: MaskBackwardOptions<PlaceOf<S>>,
): Promise<MaskBackwardResult<PlaceOf<S>>>;
export async function maskBackward(
  dy: AnyTensor,
  mu: AnyTensor<Int32Array>,
  options: MaskBackwardOptions<Place> = {},
): Promise<MaskBackwardResult<Place>> {
  const { call, result } = prepare(dy, mu, options);
  return { ...result, backend: await run(call, options) };
}

/** As `maskBackward`, on the calling thread: for small work. */
export function maskBackwardSync<S extends AnyArray>(
  dy: TensorOver<S>,
  mu: AnyTensor<Int32Array>,
  options?: MaskBackwardOptions<PlaceOf<S>>,
): MaskBackwardResult<PlaceOf<S>>;
export function maskBackwardSync(
  dy: AnyTensor,
  mu: AnyTensor<Int32Array>,
  options: MaskBackwardOptions<Place> = {},
): MaskBackwardResult<Place> {
  const { call, result } = prepare(dy, mu, options);
  return { ...result, backend: runSync(call, options) };
}
