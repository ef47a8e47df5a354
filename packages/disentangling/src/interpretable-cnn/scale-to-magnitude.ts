/**
 * Brings a gradient of maps to a size, in place: for each filter, over the pictures of its category and over the others,
 * the mean of the largest |gradient| of a map becomes `size` times the side's weight. A side that has no gradient keeps
 * none.
 *
 * The released code divides by the mean of the signed values, which turns the gradient round where that is negative; the
 * mean of their magnitudes does not.
 *
 * @param gradient `[batch, channels, cells]`
 * @param targets `[batch, channels]`, which of the two sides a map is on; all are on one without it
 * @param weights of each filter's sides
 */
export function scaleToMagnitude(
  gradient: Float32Array,
  { batch, channels, cells }: { readonly batch: number; readonly channels: number; readonly cells: number },
  size: number,
  targets: Uint8Array | undefined,
  weights: readonly (readonly [positive: number, negative: number])[],
): void {
  const peaks = Float64Array.from({ length: batch * channels }, (_, map) => {
    let peak = 0;
    for (let at = map * cells; at < (map + 1) * cells; at++) peak = Math.max(peak, Math.abs(gradient[at]!));
    return peak;
  });
  for (let channel = 0; channel < channels; channel++) {
    for (const [side, weight] of weights[channel]!.entries()) {
      const maps = Array.from({ length: batch }, (_, image) => image * channels + channel).filter((map) =>
        targets === undefined ? side === 0 : (targets[map] === 0) === (side === 1),
      );
      const total = maps.reduce((sum, map) => sum + peaks[map]!, 0);
      if (total === 0) continue;
      const factor = (size * weight * maps.length) / total;
      for (const map of maps) {
        for (let at = map * cells; at < (map + 1) * cells; at++) gradient[at]! *= factor;
      }
    }
  }
}
