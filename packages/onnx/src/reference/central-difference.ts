/**
 * The derivatives of `f` at `x` with respect to the components at `indices`, by (f(x + h e) - f(x - h e)) / 2h.
 *
 * The divisor is the step that the rounded arguments really are apart. The error is h^2 / 6 times the third
 * derivative, plus rounding of about 1e-16 |f| / h; `f` gets one array that changes between calls and `x` is not
 * touched.
 */
export function centralDifference(
  f: (x: Float64Array) => number,
  x: Float64Array,
  step: number,
  indices: readonly number[],
): Float64Array {
  const moved = Float64Array.from(x);
  return Float64Array.from(indices, (index) => {
    const center = x[index]!;
    const above = center + step;
    const below = center - step;
    moved[index] = above;
    const high = f(moved);
    moved[index] = below;
    const low = f(moved);
    moved[index] = center;
    return (high - low) / (above - below);
  });
}
