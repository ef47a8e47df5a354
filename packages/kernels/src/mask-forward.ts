import { sizeOf, unknownName } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { requireDims } from './pooling.js';
import { maskForwardReference } from './reference/mask-forward.js';
import { outputLike } from './storage.js';
import { resolveMask, type TemplateShape } from './template-mask.js';

/**
 * Where the part of a map is taken to be: at its largest value, the first in row-major order, as in the paper; or at the
 * rounded centroid of the map, as in the released code.
 */
export type MaskLocation = 'argmax' | 'centroid';

const LOCATIONS = { argmax: 0, centroid: 1 } as const satisfies Record<MaskLocation, number>;

export interface MaskForwardOptions<P extends Place = 'host'> extends KernelOptions, TemplateShape {
  /** Default `argmax`. */
  readonly location?: MaskLocation;
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly y?: ArrayIn<P>; readonly mu?: ArrayIn<P, Int32Array> };
}

export interface MaskForwardResult<P extends Place = 'host'> {
  /** The masked maps, dims as `x`. */
  readonly y: TensorIn<P>;
  /** The cell of each map's part, row * n + column; dims as `x` without the last two. */
  readonly mu: TensorIn<P, Int32Array>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'maskForward'>;
  readonly result: Omit<MaskForwardResult<Place>, 'backend'>;
}

function prepare(x: AnyTensor, options: MaskForwardOptions<Place>): Prepared {
  const { location = 'argmax', into = {} } = options;
  if (LOCATIONS[location] === undefined)
    throw unknownName('location', String(location), Object.keys(LOCATIONS), 'wrong-use');
  const { params, beta } = resolveMask(x.dims, options);
  requireDims('x', x, x.dims);
  const places = x.dims.slice(0, -2);
  const y = outputLike(x.data, 'y', into.y, Float32Array, sizeOf(x.dims));
  const mu = outputLike(x.data, 'mu', into.mu, Int32Array, sizeOf(places));
  return {
    call: {
      kernel: 'maskForward',
      arguments: { ...params, location: LOCATIONS[location], x: x.data, beta, y, mu },
      runReference: (host) => {
        const expected = maskForwardReference(params, location, host.x, beta);
        host.y.set(expected.y);
        host.mu.set(expected.mu);
      },
    },
    result: { y: { dims: [...x.dims], data: y }, mu: { dims: places, data: mu } },
  };
}

/**
 * Masks every map with the template of its own part: y = max(x * T_mu, 0), elementwise, with
 * T_mu[i,j] = height * max(1 - beta * (|i - mu_i| + |j - mu_j|) / n, -1) (Zhang, Wu and Zhu, CVPR 2018, Eq 8-9 of the
 * survey). Meant for maps after a ReLU: those are kept around the part, and are 0 from a distance of n / beta cells on. A
 * map of zeros has its part at cell 0 and stays zero. Where x is negative the equation holds all the same, and gives
 * something positive away from the part.
 *
 * Throws `bad-input` for maps that are not square. The arrays must not be transferred or written to until the promise is
 * settled.
 *
 * @param x activation maps, `[..., channels, n, n]`
 */
export function maskForward<S extends AnyArray>(
  x: TensorOver<S>,
  options?: MaskForwardOptions<PlaceOf<S>>,
): Promise<MaskForwardResult<PlaceOf<S>>>;
export async function maskForward(
  x: AnyTensor,
  options: MaskForwardOptions<Place> = {},
): Promise<MaskForwardResult<Place>> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: await run(call, options) };
}

/** As `maskForward`, on the calling thread: for small work. */
export function maskForwardSync<S extends AnyArray>(
  x: TensorOver<S>,
  options?: MaskForwardOptions<PlaceOf<S>>,
): MaskForwardResult<PlaceOf<S>>;
export function maskForwardSync(
  x: AnyTensor,
  options: MaskForwardOptions<Place> = {},
): MaskForwardResult<Place> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: runSync(call, options) };
}
