import { Random, UnitscopeError } from '@unitscope/tensor';
import { PURPOSES, seedFor } from './seeds.js';

/** How samples are varied from epoch to epoch, each by a seed of its own. */
export interface Augmentation {
  /** Mirrors half of them, left to right. */
  readonly mirror?: boolean;
  /** Shifts by up to so many pixels each way, zeros coming in. */
  readonly shift?: number;
}

/** Varies one sample [C, H, W] of an epoch in place. */
export function augment(
  sample: Float32Array,
  [channels, height, width]: readonly [number, number, number],
  { mirror = false, shift = 0 }: Augmentation,
  at: { readonly seed: number; readonly epoch: number; readonly index: number },
): void {
  if (!mirror && shift === 0) return;
  if (!Number.isInteger(shift) || shift < 0 || shift >= Math.min(height, width)) {
    throw new UnitscopeError('wrong-use', `shift must be from 0 to below the size, it is ${shift}`, {
      subject: 'shift',
    });
  }
  const random = new Random(seedFor(at.seed, PURPOSES.augmentation, at.epoch, at.index));
  const isMirrored = mirror && random.integer(0, 1) === 1;
  const [down, right] = shift === 0 ? [0, 0] : [random.integer(-shift, shift), random.integer(-shift, shift)];
  if (!isMirrored && down === 0 && right === 0) return;
  const source = sample.slice();
  sample.fill(0);
  const [top, left] = [Math.max(0, down), Math.max(0, right)];
  const [bottom, end] = [Math.min(height, height + down), Math.min(width, width + right)];
  for (let channel = 0; channel < channels; channel++) {
    for (let y = top; y < bottom; y++) {
      const from = (channel * height + y - down) * width;
      const to = (channel * height + y) * width;
      if (!isMirrored) {
        sample.set(source.subarray(from + left - right, from + end - right), to + left);
        continue;
      }
      for (let x = left; x < end; x++) sample[to + x] = source[from + width - 1 - (x - right)]!;
    }
  }
}
