/**
 * The cosine of every row of `a` with every row of `b`, in float64. `magnitude` is sum |a b| / (|a| |b|), for bounds on
 * rounding.
 */
export function cosineSimilarityReference(
  { m, n, k }: { readonly m: number; readonly n: number; readonly k: number },
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): { c: Float64Array; magnitude: Float64Array } {
  const c = new Float64Array(m * n);
  const magnitude = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let [dot, absolute, ofA, ofB] = [0, 0, 0, 0];
      for (let term = 0; term < k; term++) {
        const left = a[i * k + term]!;
        const right = b[j * k + term]!;
        dot += left * right;
        absolute += Math.abs(left * right);
        ofA += left * left;
        ofB += right * right;
      }
      const norms = Math.sqrt(ofA) * Math.sqrt(ofB);
      const hasAngle = Number.isFinite(ofA) && Number.isFinite(ofB);
      if (!hasAngle) c[i * n + j] = Number.NaN;
      else if (norms > 0) {
        c[i * n + j] = dot / norms;
        magnitude[i * n + j] = absolute / norms;
      }
    }
  }
  return { c, magnitude };
}
