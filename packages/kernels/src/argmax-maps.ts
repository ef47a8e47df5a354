import { unknownName } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { resolveMapsOf } from './maps.js';
import { argmaxMapsReference } from './reference/argmax-maps.js';
import { outputLike } from './storage.js';

/**
 * Which of several largest cells is taken: the first in row-major order (the smallest row, then the smallest column), or
 * the first in column-major order (the smallest column, then the smallest row), as MATLAB counts.
 */
export type MapTies = 'row-major' | 'column-major';

const TIES = { 'row-major': 0, 'column-major': 1 } as const satisfies Record<MapTies, number>;

export interface ArgmaxMapsOptions<P extends Place = 'host'> extends KernelOptions {
  /** Default `row-major`. */
  readonly ties?: MapTies;
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly index?: ArrayIn<P, Int32Array>; readonly value?: ArrayIn<P> };
}

export interface ArgmaxMapsResult<P extends Place = 'host'> {
  /** The cell of each map's largest value, row * width + column whatever the order of ties; dims as `x` without the last two. */
  readonly index: TensorIn<P, Int32Array>;
  /** The value there. */
  readonly value: TensorIn<P>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'argmaxMaps'>;
  readonly result: Omit<ArgmaxMapsResult<Place>, 'backend'>;
}

function prepare(x: AnyTensor, { ties = 'row-major', into = {} }: ArgmaxMapsOptions<Place>): Prepared {
  if (TIES[ties] === undefined)
    throw unknownName('order of ties', String(ties), Object.keys(TIES), 'wrong-use');
  const { params, outer } = resolveMapsOf(x);
  const index = outputLike(x.data, 'index', into.index, Int32Array, params.maps);
  const value = outputLike(x.data, 'value', into.value, Float32Array, params.maps);
  return {
    call: {
      kernel: 'argmaxMaps',
      arguments: { ...params, ties: TIES[ties], x: x.data, index, value },
      runReference: (host) => {
        const expected = argmaxMapsReference(params, ties, host.x);
        host.index.set(expected.index);
        host.value.set(expected.value);
      },
    },
    result: { index: { dims: outer, data: index }, value: { dims: outer, data: value } },
  };
}

/**
 * The largest cell of every map and its value, exactly. NaN is larger than every number, as in `maxPool` and
 * `maskForward`: a map that holds one gives its first NaN in the order of `ties`. Zeros of both signs are equal.
 *
 * Throws `bad-input` for maps without cells. The arrays must not be transferred or written to until the promise is settled.
 *
 * @param x maps, `[..., height, width]`
 */
export function argmaxMaps<S extends AnyArray>(
  x: TensorOver<S>,
  options?: ArgmaxMapsOptions<PlaceOf<S>>,
): Promise<ArgmaxMapsResult<PlaceOf<S>>>;
export async function argmaxMaps(
  x: AnyTensor,
  options: ArgmaxMapsOptions<Place> = {},
): Promise<ArgmaxMapsResult<Place>> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: await run(call, options) };
}

/** As `argmaxMaps`, on the calling thread: for small work. */
export function argmaxMapsSync<S extends AnyArray>(
  x: TensorOver<S>,
  options?: ArgmaxMapsOptions<PlaceOf<S>>,
): ArgmaxMapsResult<PlaceOf<S>>;
export function argmaxMapsSync(
  x: AnyTensor,
  options: ArgmaxMapsOptions<Place> = {},
): ArgmaxMapsResult<Place> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: runSync(call, options) };
}
