export interface PowerLaw {
  /** b of y = a x^b, and its standard error. */
  readonly exponent: number;
  readonly error: number;
  /** a */
  readonly factor: number;
}

/** The power law through points by least squares on the logarithms; at least three points, all positive. */
export function fitPowerLaw(points: readonly (readonly [x: number, y: number])[]): PowerLaw {
  if (points.length < 3 || points.some(([x, y]) => !(x > 0 && y > 0)))
    throw new Error('a power law needs at least three points, all of them positive');
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (axis: 0 | 1) => logs.reduce((sum, point) => sum + point[axis], 0) / logs.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const sum = (term: (x: number, y: number) => number) =>
    logs.reduce((total, [x, y]) => total + term(x - meanX, y - meanY), 0);
  const spread = sum((x) => x * x);
  const exponent = sum((x, y) => x * y) / spread;
  const residue = sum((x, y) => (y - exponent * x) ** 2);
  return {
    exponent,
    error: Math.sqrt(residue / (logs.length - 2) / spread),
    factor: Math.exp(meanY - exponent * meanX),
  };
}
