import { UnitscopeError } from '@unitscope/tensor';

/** A map of one value a pixel, row by row. */
export interface Plane {
  readonly height: number;
  readonly width: number;
  readonly data: ArrayLike<number>;
}

/** Throws `bad-input` for a plane whose size is not that of its data, and for NaN and infinity. */
export function requirePlane({ height, width, data }: Plane): void {
  if (data.length !== height * width) {
    throw new UnitscopeError(
      'bad-input',
      `a plane of ${height} x ${width} pixels needs ${height * width} values, not ${data.length}`,
    );
  }
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i])) continue;
    throw new UnitscopeError('bad-input', `pixel ${i} of a plane is ${data[i]}; it must be finite`);
  }
}

/** Throws `bad-input` as `requirePlane`, and for planes of different sizes. */
export function requireAlike(a: Plane, b: Plane): void {
  requirePlane(a);
  requirePlane(b);
  if (a.height === b.height && a.width === b.width) return;
  throw new UnitscopeError(
    'bad-input',
    `planes of ${a.height} x ${a.width} and ${b.height} x ${b.width} pixels cannot be compared`,
  );
}

/** The values scaled linearly so that the least is 0 and the largest 1; zeros where they are all equal. */
export function scaleToUnit(data: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(data);
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return high > low ? values.map((value) => (value - low) / (high - low)) : values.fill(0);
}
