interface Taps {
  readonly start: number;
  readonly weights: readonly number[];
}

/**
 * Bilinear resampling of interleaved values, pixel centres at half-integers (ONNX Resize: `half_pixel`). When reducing,
 * the triangle widens by the reduction. Every result is a weighted mean of its sources.
 */
export function resample(
  values: ArrayLike<number>,
  source: { readonly width: number; readonly height: number; readonly channels: number },
  target: { readonly width: number; readonly height: number },
): Float64Array {
  const { channels } = source;
  const across = tapsOf(source.width, target.width);
  const down = tapsOf(source.height, target.height);
  const narrow = new Float64Array(source.height * target.width * channels);
  for (let y = 0; y < source.height; y++) {
    for (const [x, { start, weights }] of across.entries()) {
      for (let channel = 0; channel < channels; channel++) {
        let from = (y * source.width + start) * channels + channel;
        let sum = 0;
        for (const weight of weights) {
          sum += weight * values[from]!;
          from += channels;
        }
        narrow[(y * target.width + x) * channels + channel] = sum;
      }
    }
  }
  const rowLength = target.width * channels;
  const result = new Float64Array(target.height * rowLength);
  for (const [y, { start, weights }] of down.entries()) {
    for (const [tap, weight] of weights.entries()) {
      const from = (start + tap) * rowLength;
      for (let i = 0; i < rowLength; i++) result[y * rowLength + i]! += weight * narrow[from + i]!;
    }
  }
  return result;
}

function tapsOf(inSize: number, outSize: number): Taps[] {
  const scale = inSize / outSize;
  const stretch = Math.max(1, scale);
  return Array.from({ length: outSize }, (_, i) => {
    const centre = (i + 0.5) * scale - 0.5;
    const start = Math.max(0, Math.ceil(centre - stretch));
    const end = Math.min(inSize - 1, Math.floor(centre + stretch));
    const weights = Array.from({ length: end - start + 1 }, (_, tap) =>
      Math.max(0, 1 - Math.abs(start + tap - centre) / stretch),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { start, weights: weights.map((weight) => weight / sum) };
  });
}
