import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { PictureScale } from '../ascent/picture-scale.js';

/** What rounding to float32 may put beyond the range of a picture. */
const SLACK = 1e-4;

/**
 * How perturbations in units of the picture act on a batch [N, C, H, W] of `size` values each, and what the range of
 * pictures leaves of them. Throws `bad-input` for a batch outside the range.
 */
export function pictureRange({ dims, data }: Tensor, { gain, offset }: PictureScale, size: number) {
  const plane = size / gain.length;
  const original = new Float64Array(data.length);
  // Channel by channel in plain loops: this runs over every value in every step.
  const eachPlane = (work: (start: number, gain: number, offset: number, within: number) => void) => {
    for (let start = 0; start < data.length; start += plane) {
      const channel = (start / plane) % gain.length;
      work(start, gain[channel]!, offset[channel]!, start % size);
    }
  };
  eachPlane((start, gained, shifted) => {
    for (let i = start; i < start + plane; i++) {
      const value = (data[i]! - shifted) / gained;
      if (!(value >= -SLACK && value <= 1 + SLACK)) throw outside(value, Math.floor(i / size), dims);
      original[i] = Math.min(1, Math.max(0, value));
    }
  });
  return {
    /** The input of the perturbed pictures; of them rounded to so many levels above 0 where that is said. */
    apply(perturbations: readonly Float64Array[], levels?: number): Float32Array {
      const input = new Float32Array(data.length);
      eachPlane((start, gained, shifted, within) => {
        const perturbation = perturbations[Math.floor(start / size)]!;
        for (let i = 0; i < plane; i++) {
          const exact = original[start + i]! + perturbation[within + i]!;
          const value = levels === undefined ? exact : Math.round(levels * exact) / levels;
          input[start + i] = value * gained + shifted;
        }
      });
      return input;
    },
    /** Takes from a perturbation what would leave the range. */
    clip(sample: number, perturbation: Float64Array): void {
      const from = sample * size;
      for (let i = 0; i < size; i++) {
        const value = original[from + i]!;
        perturbation[i] = Math.min(1 - value, Math.max(-value, perturbation[i]!));
      }
    },
    /** `sign` times the derivative by a picture, from that by the input; returns the sum of its magnitudes. */
    gradient(sample: number, slope: Float32Array, sign: number, into: Float64Array): number {
      const from = sample * size;
      let sum = 0;
      for (let i = 0; i < size; i++) {
        const value = sign * slope[from + i]! * gain[Math.floor(i / plane)]!;
        into[i] = value;
        sum += Math.abs(value);
      }
      return sum;
    },
  };
}

function outside(value: number, sample: number, dims: readonly number[]): UnitscopeError {
  return new UnitscopeError(
    'bad-input',
    `picture ${sample} of [${dims.join(', ')}] has a value at ${value.toPrecision(4)} of the range of pictures, 0 to 1; ` +
      'is it the preprocessing of this network?',
  );
}
