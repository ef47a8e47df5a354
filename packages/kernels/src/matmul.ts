import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { MatmulParams } from './addon.js';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import { outputArray, requireDims } from './pooling.js';
import { matmulReference } from './reference/matmul.js';

export interface MatmulOptions extends KernelOptions {
  /** Whether `a` is stored `[k, m]`. */
  readonly transposeA?: boolean;
  /** Whether `b` is stored `[n, k]`. */
  readonly transposeB?: boolean;
  /** Adds the product to what `into.c` holds instead of overwriting it. */
  readonly accumulate?: boolean;
  /** Arrays to write to instead of new ones. */
  readonly into?: { readonly c?: Float32Array };
}

export interface MatmulResult {
  /** `[m, n]` */
  readonly c: Tensor;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'matmul'>;
  readonly result: Omit<MatmulResult, 'backend'>;
}

/** The rows and columns of a matrix. Throws `bad-input` for anything else. */
export function matrixDims(name: string, matrix: Tensor): readonly [number, number] {
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

function paramsOf(a: Tensor, b: Tensor, options: MatmulOptions): MatmulParams {
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

function prepare(a: Tensor, b: Tensor, options: MatmulOptions): Prepared {
  const params = paramsOf(a, b, options);
  const { m, n, accumulate } = params;
  const given = options.into?.c;
  if (accumulate === 1 && given === undefined) {
    throw new UnitscopeError('wrong-use', 'accumulate needs into.c, the matrix that the product is added to');
  }
  const c = outputArray('c', given, m * n, (size) => new Float32Array(size));
  return {
    call: {
      kernel: 'matmul',
      arguments: { ...params, a: a.data, b: b.data, c },
      runReference: () => c.set(matmulReference(params, a.data, b.data, c).c),
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
export async function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Promise<MatmulResult> {
  const { call, result } = prepare(a, b, options);
  return { ...result, backend: await run(call, options) };
}

/** As `matmul`, on the calling thread: for small work. */
export function matmulSync(a: Tensor, b: Tensor, options: MatmulOptions = {}): MatmulResult {
  const { call, result } = prepare(a, b, options);
  return { ...result, backend: runSync(call, options) };
}
