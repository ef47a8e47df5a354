import { UnitscopeError } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { matrixDims } from './matmul.js';
import { cosineSimilarityReference } from './reference/cosine-similarity.js';
import { outputLike } from './storage.js';

export interface CosineSimilarityOptions<P extends Place = 'host'> extends KernelOptions {
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly c?: ArrayIn<P> };
}

export interface CosineSimilarityResult<P extends Place = 'host'> {
  /** `[m, n]` */
  readonly c: TensorIn<P>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'cosineSimilarity'>;
  readonly result: Omit<CosineSimilarityResult<Place>, 'backend'>;
}

function prepare(a: AnyTensor, b: AnyTensor, { into = {} }: CosineSimilarityOptions<Place>): Prepared {
  const [m, k] = matrixDims('a', a);
  const [n, other] = matrixDims('b', b);
  if (k !== other) {
    throw new UnitscopeError(
      'bad-input',
      `rows of ${k} and of ${other} elements have no angle between them; a and b must have as many columns`,
      { subject: 'b' },
    );
  }
  const params = { m, n, k };
  const c = outputLike(a.data, 'c', into.c, Float32Array, m * n);
  return {
    call: {
      kernel: 'cosineSimilarity',
      arguments: { ...params, a: a.data, b: b.data, c },
      runReference: (host) => host.c.set(cosineSimilarityReference(params, host.a, host.b).c),
    },
    result: { c: { dims: [m, n], data: c } },
  };
}

/**
 * The cosine of the angle between every row of `a` and every row of `b`: c_ij = <a_i, b_j> / (|a_i| |b_j|). A row of zeros
 * has no direction: its cosine with every row of finite numbers is 0. A row that holds NaN or an infinity gives NaN.
 *
 * Norms are in float64; rows are brought to length 1, rounded to float32, and multiplied as in `matmul`, so neither huge nor
 * tiny rows lose their cosine. The error is at most (min(k, 256) + ceil(k / 256) + 4) 2^-24, to first order; by as much a
 * cosine may lie beyond -1 or 1.
 *
 * Throws `bad-input` for rows of unlike lengths. The arrays must not be transferred or written to until the promise is
 * settled.
 *
 * @param a `[m, k]`
 * @param b `[n, k]`, may be `a`
 */
export function cosineSimilarity<S extends AnyArray>(
  a: TensorOver<S>,
  b: AnyTensor,
  options?: CosineSimilarityOptions<PlaceOf<S>>,
): Promise<CosineSimilarityResult<PlaceOf<S>>>;
export async function cosineSimilarity(
  a: AnyTensor,
  b: AnyTensor,
  options: CosineSimilarityOptions<Place> = {},
): Promise<CosineSimilarityResult<Place>> {
  const { call, result } = prepare(a, b, options);
  return { ...result, backend: await run(call, options) };
}

/** As `cosineSimilarity`, on the calling thread: for small work. */
export function cosineSimilaritySync<S extends AnyArray>(
  a: TensorOver<S>,
  b: AnyTensor,
  options?: CosineSimilarityOptions<PlaceOf<S>>,
): CosineSimilarityResult<PlaceOf<S>>;
export function cosineSimilaritySync(
  a: AnyTensor,
  b: AnyTensor,
  options: CosineSimilarityOptions<Place> = {},
): CosineSimilarityResult<Place> {
  const { call, result } = prepare(a, b, options);
  return { ...result, backend: runSync(call, options) };
}
