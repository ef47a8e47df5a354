import type { MatmulParams } from '../kernel-arguments.js';

/**
 * The product, or the product and `before`, in float64, laid out as the result. `magnitude` is the sum of |terms| of every
 * element, for bounds on rounding.
 */
export function matmulReference(
  { m, n, k, lda, ldb, ldc, transposeA, transposeB, accumulate }: MatmulParams,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  before: ArrayLike<number>,
): { c: Float64Array; magnitude: Float64Array } {
  const c = Float64Array.from(before);
  const magnitude = new Float64Array(c.length);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const at = i * ldc + j;
      let sum = accumulate === 1 ? before[at]! : 0;
      let absolute = Math.abs(sum);
      for (let term = 0; term < k; term++) {
        const left = a[transposeA === 1 ? term * lda + i : i * lda + term]!;
        const right = b[transposeB === 1 ? j * ldb + term : term * ldb + j]!;
        sum += left * right;
        absolute += Math.abs(left * right);
      }
      c[at] = sum;
      magnitude[at] = absolute;
    }
  }
  return { c, magnitude };
}
