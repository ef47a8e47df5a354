import type { MiParams } from '../kernel-arguments.js';

/** What the authors' published code adds to the gradient, in float64 and from its formulas (see `miGradient`). */
export function releasedGradientReference(
  { batch, channels, size }: Pick<MiParams, 'batch' | 'channels' | 'size'>,
  constants: {
    readonly magnitude: number;
    readonly positiveWeight: number;
    readonly negativeWeight: number;
  },
  x: ArrayLike<number>,
  targets: ArrayLike<number>,
  slopes: ArrayLike<number>,
): Float64Array {
  const cells = size * size;
  const a = 0.5;
  const mapOf = (image: number, channel: number) =>
    Array.from({ length: cells }, (_, cell) => x[(image * channels + channel) * cells + cell]!);
  const grid = (place: number) => (size === 1 ? 1 : -1 + (2 * (place - 1)) / (size - 1));
  const maskOf = (image: number, channel: number) => {
    const map = mapOf(image, channel);
    const total = Math.max(
      map.reduce((sum, value) => sum + value, 0),
      1e-9,
    );
    const rows = map.reduce((sum, value, cell) => sum + (Math.floor(cell / size) + 1) * value, 0);
    const columns = map.reduce((sum, value, cell) => sum + ((cell % size) + 1) * value, 0);
    const row = Math.max(Math.round(rows / total), 1);
    const column = Math.max(Math.round(columns / total), 1);
    return map.map((_, cell) => {
      const distance =
        Math.abs(grid(Math.floor(cell / size) + 1) - grid(row)) +
        Math.abs(grid((cell % size) + 1) - grid(column));
      return Math.max(1 - slopes[channel]! * distance, -1);
    });
  };
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  // Activations that overflow e^(s/a) are beyond the code, and so beyond this; the kernels divide the largest out.
  const logMean = (values: readonly number[]) =>
    a * Math.log(mean(values.map((value) => Math.exp(value / a))));

  const dx = new Float64Array(batch * channels * cells);
  const images = Array.from({ length: batch }, (_, image) => image);
  for (let channel = 0; channel < channels; channel++) {
    const maps = images.map((image) => mapOf(image, channel));
    const under = (image: number, mask: readonly number[]) =>
      mean(maps[image]!.map((value, cell) => value * mask[cell]!));
    const positiveZ = logMean(
      images.map((image) => under(image, maskOf(batch - 1 - image, channels - 1 - channel))),
    );
    const negativeZ = logMean(maps.map((map) => -mean(map)));
    for (const isPositive of [true, false]) {
      const list = images.filter((image) => (targets[image * channels + channel] !== 0) === isPositive);
      const strengths = list.map((image) => {
        const s = isPositive ? under(image, maskOf(image, channel)) : -mean(maps[image]!);
        return Math.exp(s / a) * (s - (isPositive ? positiveZ : negativeZ) + a);
      });
      const scale = mean(strengths) === 0 ? 0 : constants.magnitude / mean(strengths);
      list.forEach((image, i) => {
        const mask = maskOf(image, channel);
        for (let cell = 0; cell < cells; cell++) {
          dx[(image * channels + channel) * cells + cell] = isPositive
            ? -mask[cell]! * strengths[i]! * scale * constants.positiveWeight
            : strengths[i]! * scale * constants.negativeWeight;
        }
      });
    }
  }
  return dx;
}
