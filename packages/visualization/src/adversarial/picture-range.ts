import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { PictureScale } from '../ascent/picture-scale.js';

const LEVELS = 255;
/** What rounding to float32 may put beyond the range of a picture. */
const SLACK = 1e-4;

/**
 * How perturbations in units of the picture act on a batch [N, C, H, W] of `size` values each, and what the range of
 * pictures leaves of them. Throws `bad-input` for a batch outside the range.
 */
export function pictureRange({ dims, data }: Tensor, { gain, offset }: PictureScale, size: number) {
  const plane = size / gain.length;
  const gainAt = Float64Array.from({ length: size }, (_, i) => gain[Math.floor(i / plane)]!);
  const offsetAt = Float64Array.from({ length: size }, (_, i) => offset[Math.floor(i / plane)]!);
  const original = new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = (data[i]! - offsetAt[i % size]!) / gainAt[i % size]!;
    if (!(value >= -SLACK && value <= 1 + SLACK)) {
      throw new UnitscopeError(
        'bad-input',
        `picture ${Math.floor(i / size)} of [${dims.join(', ')}] has a value at ${value.toPrecision(4)} of the range ` +
          'of pictures, 0 to 1; is it the preprocessing of this network?',
      );
    }
    original[i] = Math.min(1, Math.max(0, value));
  }
  const written = (perturbations: readonly Float64Array[], round: (value: number) => number) => {
    const input = new Float32Array(data.length);
    for (const [sample, perturbation] of perturbations.entries()) {
      for (let i = 0; i < size; i++) {
        const value = round(original[sample * size + i]! + perturbation[i]!);
        input[sample * size + i] = value * gainAt[i]! + offsetAt[i]!;
      }
    }
    return input;
  };
  return {
    /** The input of the perturbed pictures. */
    apply: (perturbations: readonly Float64Array[]) => written(perturbations, (value) => value),
    /** The same after rounding to 256 levels. */
    rounded: (perturbations: readonly Float64Array[]) =>
      written(perturbations, (value) => Math.round(LEVELS * value) / LEVELS),
    /** Takes from a perturbation what would leave the range. */
    clip: (sample: number, perturbation: Float64Array) => {
      for (let i = 0; i < size; i++) {
        const from = original[sample * size + i]!;
        perturbation[i] = Math.min(1 - from, Math.max(-from, perturbation[i]!));
      }
    },
    /** The derivative by a picture, of one by the input. */
    gradient: (sample: number, slope: Float32Array, sign: number) =>
      Float64Array.from({ length: size }, (_, i) => sign * slope[sample * size + i]! * gainAt[i]!),
  };
}
