import { type Tensor, unknownName } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import { resolveMapsOf } from './maps.js';
import { outputArray } from './pooling.js';
import { argmaxMapsReference } from './reference/argmax-maps.js';

/**
 * Which of several largest cells is taken: the first in row-major order (the smallest row, then the smallest column), or
 * the first in column-major order (the smallest column, then the smallest row), as MATLAB counts.
 */
export type MapTies = 'row-major' | 'column-major';

const TIES = { 'row-major': 0, 'column-major': 1 } as const satisfies Record<MapTies, number>;

export interface ArgmaxMapsOptions extends KernelOptions {
  /** Default `row-major`. */
  readonly ties?: MapTies;
  /** Arrays to write to instead of new ones. */
  readonly into?: { readonly index?: Int32Array; readonly value?: Float32Array };
}

export interface ArgmaxMapsResult {
  /** The cell of each map's largest value, row * width + column whatever the order of ties; dims as `x` without the last two. */
  readonly index: Tensor<Int32Array>;
  /** The value there. */
  readonly value: Tensor;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'argmaxMaps'>;
  readonly result: Omit<ArgmaxMapsResult, 'backend'>;
}

function prepare(x: Tensor, { ties = 'row-major', into = {} }: ArgmaxMapsOptions): Prepared {
  if (TIES[ties] === undefined)
    throw unknownName('order of ties', String(ties), Object.keys(TIES), 'wrong-use');
  const { params, outer } = resolveMapsOf(x);
  const index = outputArray('index', into.index, params.maps, (size) => new Int32Array(size));
  const value = outputArray('value', into.value, params.maps, (size) => new Float32Array(size));
  return {
    call: {
      kernel: 'argmaxMaps',
      arguments: { ...params, ties: TIES[ties], x: x.data, index, value },
      runReference: () => {
        const expected = argmaxMapsReference(params, ties, x.data);
        index.set(expected.index);
        value.set(expected.value);
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
export async function argmaxMaps(x: Tensor, options: ArgmaxMapsOptions = {}): Promise<ArgmaxMapsResult> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: await run(call, options) };
}

/** As `argmaxMaps`, on the calling thread: for small work. */
export function argmaxMapsSync(x: Tensor, options: ArgmaxMapsOptions = {}): ArgmaxMapsResult {
  const { call, result } = prepare(x, options);
  return { ...result, backend: runSync(call, options) };
}
