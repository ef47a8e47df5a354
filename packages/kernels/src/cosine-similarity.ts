import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import { matrixDims } from './matmul.js';
import { outputArray } from './pooling.js';
import { cosineSimilarityReference } from './reference/cosine-similarity.js';

export interface CosineSimilarityOptions extends KernelOptions {
  /** Arrays to write to instead of new ones. */
  readonly into?: { readonly c?: Float32Array };
}

export interface CosineSimilarityResult {
  /** `[m, n]` */
  readonly c: Tensor;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'cosineSimilarity'>;
  readonly result: Omit<CosineSimilarityResult, 'backend'>;
}

function prepare(a: Tensor, b: Tensor, { into = {} }: CosineSimilarityOptions): Prepared {
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
  const c = outputArray('c', into.c, m * n, (size) => new Float32Array(size));
  return {
    call: {
      kernel: 'cosineSimilarity',
      arguments: { ...params, a: a.data, b: b.data, c },
      runReference: () => c.set(cosineSimilarityReference(params, a.data, b.data).c),
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
export async function cosineSimilarity(
  a: Tensor,
  b: Tensor,
  options: CosineSimilarityOptions = {},
): Promise<CosineSimilarityResult> {
  const { call, result } = prepare(a, b, options);
  return { ...result, backend: await run(call, options) };
}

/** As `cosineSimilarity`, on the calling thread: for small work. */
export function cosineSimilaritySync(
  a: Tensor,
  b: Tensor,
  options: CosineSimilarityOptions = {},
): CosineSimilarityResult {
  const { call, result } = prepare(a, b, options);
  return { ...result, backend: runSync(call, options) };
}
