/** What lies outside a plane: zeros, or nothing, the weights inside then being scaled up to 1. */
export type GaussianEdge = 'zero' | 'renormalised';

/**
 * A plane smoothed by a Gaussian of 2 radius + 1 taps in each direction, whose weights sum to 1.
 *
 * @param plane height x width values, row by row
 * @param sigma in pixels
 */
export function smoothPlane(
  plane: ArrayLike<number>,
  [height, width]: readonly [number, number],
  { radius, sigma, edge }: { readonly radius: number; readonly sigma: number; readonly edge: GaussianEdge },
): Float64Array {
  const taps = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const sum = taps.reduce((total, tap) => total + tap, 0);
  const weights = taps.map((tap) => tap / sum);
  const rows = smoothLines(
    Float64Array.from(plane),
    { lines: height, step: width, length: width, stride: 1 },
    weights,
    edge,
  );
  return smoothLines(rows, { lines: width, step: 1, length: height, stride: width }, weights, edge);
}

interface Lines {
  readonly lines: number;
  /** From one line to the next. */
  readonly step: number;
  readonly length: number;
  /** From one value of a line to the next. */
  readonly stride: number;
}

function smoothLines(
  values: Float64Array,
  { lines, step, length, stride }: Lines,
  weights: Float64Array,
  edge: GaussianEdge,
): Float64Array {
  const radius = (weights.length - 1) / 2;
  const result = new Float64Array(values.length);
  for (let place = 0; place < length; place++) {
    const [low, high] = [Math.max(0, place - radius), Math.min(length - 1, place + radius)];
    let total = 0;
    for (let i = low; i <= high; i++) total += weights[i - place + radius]!;
    const scale = edge === 'zero' ? 1 : 1 / total;
    for (let line = 0; line < lines; line++) {
      const start = line * step;
      let sum = 0;
      for (let i = low; i <= high; i++) sum += weights[i - place + radius]! * values[start + i * stride]!;
      result[start + place * stride] = sum * scale;
    }
  }
  return result;
}
