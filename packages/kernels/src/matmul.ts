import { UnitscopeError } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import type { MatmulParams } from './kernel-arguments.js';
import { requireDims } from './pooling.js';
import { matmulReference } from './reference/matmul.js';
import { outputLike } from './storage.js';

export interface MatmulOptions<P extends Place = 'host'> extends KernelOptions {
  /** Whether `a` is stored `[k, m]`. */
  readonly transposeA?: boolean;
  /** Whether `b` is stored `[n, k]`. */
  readonly transposeB?: boolean;
  /** Adds the product to what `into.c` holds instead of overwriting it. */
  readonly accumulate?: boolean;
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly c?: ArrayIn<P> };
}

export interface MatmulResult<P extends Place = 'host'> {
  /** `[m, n]` */
  readonly c: TensorIn<P>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'matmul'>;
  readonly result: Omit<MatmulResult<Place>, 'backend'>;
}

/** The rows and columns of a matrix. Throws `bad-input` for anything else. */
export function matrixDims(name: string, matrix: AnyTensor): readonly [number, number] {
  const [rows = 0, columns = 0] = matrix.dims;
  if (matrix.dims.length !== 2) {
    throw new UnitscopeError(
      'bad-input',
      `${name} must be a matrix [rows, columns], it has dims [${matrix.dims.join(', ')}]`,
      { subject: name },
    );
  }
  requireDims(name, matrix, matrix.dims);
  return [rows, columns];
}

function paramsOf(a: AnyTensor, b: AnyTensor, options: MatmulOptions<Place>): MatmulParams {
  const { transposeA = false, transposeB = false, accumulate = false } = options;
  const [rowsOfA, columnsOfA] = matrixDims('a', a);
  const [rowsOfB, columnsOfB] = matrixDims('b', b);
  const [m, k] = transposeA ? [columnsOfA, rowsOfA] : [rowsOfA, columnsOfA];
  const [inner, n] = transposeB ? [columnsOfB, rowsOfB] : [rowsOfB, columnsOfB];
  if (inner !== k) {
    throw new UnitscopeError(
      'bad-input',
      `a ${m} x ${k} matrix cannot be multiplied with a ${inner} x ${n} one; the inner sizes must agree (see transposeA and transposeB)`,
      { subject: 'b' },
    );
  }
  const [lda, ldb, ldc] = [columnsOfA, columnsOfB, n].map((length) => Math.max(1, length));
  return {
    ...{ m, n, k, lda: lda!, ldb: ldb!, ldc: ldc! },
    ...{ transposeA: Number(transposeA), transposeB: Number(transposeB), accumulate: Number(accumulate) },
  };
}

function prepare(a: AnyTensor, b: AnyTensor, options: MatmulOptions<Place>): Prepared {
  const params = paramsOf(a, b, options);
  const { m, n, accumulate } = params;
  const given = options.into?.c;
  if (accumulate === 1 && given === undefined) {
    throw new UnitscopeError('wrong-use', 'accumulate needs into.c, the matrix that the product is added to');
  }
  const c = outputLike(a.data, 'c', given, Float32Array, m * n);
  return {
    call: {
      kernel: 'matmul',
      arguments: { ...params, a: a.data, b: b.data, c },
      runReference: (host) => host.c.set(matmulReference(params, host.a, host.b, host.c).c),
    },
    result: { c: { dims: [m, n], data: c } },
  };
}

/**
 * The product of two matrices, c = op(a) op(b), or c + op(a) op(b), where op transposes or not.
 *
 * Sums are in float32: blocks of 256 terms, each from its first term to its last, are added up in their order, whatever the
 * shape and the number of threads. |c - exact| <= (min(k, 256) + ceil(k / 256) + 1) 2^-24 (sum |a b| + |c before|), to first
 * order and short of underflow and overflow. NaN and infinities go where the sums take them.
 *
 * Throws `bad-input` for sizes that do not fit each other. The arrays must not be transferred or written to until the
 * promise is settled.
 *
 * @param a `[m, k]`
 * @param b `[k, n]`
 */
export function matmul<S extends AnyArray>(
  a: TensorOver<S>,
  b: AnyTensor,
  options?: MatmulOptions<PlaceOf<S>>,
): Promise<MatmulResult<PlaceOf<S>>>;
export async function matmul(
  a: AnyTensor,
  b: AnyTensor,
  options: MatmulOptions<Place> = {},
): Promise<MatmulResult<Place>> {
  const { call, result } = prepare(a, b, options);
  return { ...result, backend: await run(call, options) };
}

/** As `matmul`, on the calling thread: for small work. */
export function matmulSync<S extends AnyArray>(
  a: TensorOver<S>,
  b: AnyTensor,
  options?: MatmulOptions<PlaceOf<S>>,
): MatmulResult<PlaceOf<S>>;
export function matmulSync(
  a: AnyTensor,
  b: AnyTensor,
  options: MatmulOptions<Place> = {},
): MatmulResult<Place> {
  const { call, result } = prepare(a, b, options);
  return { ...result, backend: runSync(call, options) };
}
