/** A map of the plane, `x' = a x + c y + e`, `y' = b x + d y + f`, in the order in which SVG writes it. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

export type Point = readonly [x: number, y: number];

export function translation(x: number, y: number): Affine {
  return [1, 0, 0, 1, x, y];
}

export function scaling(x: number, y: number): Affine {
  return [x, 0, 0, y, 0, 0];
}

/** By degrees from the x axis to the y axis, which is clockwise on the screen. */
export function rotation(degrees: number): Affine {
  const angle = (degrees * Math.PI) / 180;
  return [Math.cos(angle), Math.sin(angle), -Math.sin(angle), Math.cos(angle), 0, 0];
}

/** All maps in one, the last applied first. */
export function compose(first: Affine, ...rest: readonly Affine[]): Affine {
  return rest.reduce<Affine>(
    ([a, b, c, d, e, f], [p, q, r, s, t, u]) => [
      a * p + c * q,
      b * p + d * q,
      a * r + c * s,
      b * r + d * s,
      a * t + c * u + e,
      b * t + d * u + f,
    ],
    first,
  );
}

export function apply([a, b, c, d, e, f]: Affine, [x, y]: Point): Point {
  return [a * x + c * y + e, b * x + d * y + f];
}
