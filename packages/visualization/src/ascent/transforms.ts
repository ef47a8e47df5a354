import { type Random, UnitscopeError } from '@unitscope/tensor';
import type { CanvasSize } from './fourier.js';
import { LUCID, type StepValue } from './step-value.js';
import { rotateWarp, scaleWarp, type Warp, windowWarp } from './warp.js';

/** A random change of the picture, drawn anew for every step, under which the objective is to stay high. */
export interface Transform extends StepValue {
  readonly draw: (size: CanvasSize, random: Random, grey: number) => Warp;
}

/** A border of grey. */
export function pad(pixels: number): Transform {
  return {
    ...{ name: 'pad', paper: LUCID, options: { pixels } },
    draw: (from, _random, grey) =>
      windowWarp(
        from,
        { height: from.height + 2 * pixels, width: from.width + 2 * pixels },
        [-pixels, -pixels],
        grey,
      ),
  };
}

/** A random window, smaller by `pixels` each way. */
export function jitter(pixels: number): Transform {
  return {
    ...{ name: 'jitter', paper: LUCID, options: { pixels } },
    draw(from, random) {
      const to = { height: from.height - pixels, width: from.width - pixels };
      if (to.height < 1 || to.width < 1) {
        throw new UnitscopeError(
          'wrong-use',
          `a picture of ${from.height}x${from.width} cannot lose ${pixels} pixels; jitter less`,
        );
      }
      return windowWarp(from, to, [random.integer(0, pixels), random.integer(0, pixels)]);
    },
  };
}

/** Bilinear scaling by a factor drawn from a list; sizes are rounded down. */
export function scale(factors: readonly number[]): Transform {
  return {
    ...{ name: 'scale', paper: LUCID, options: { factors: factors.join(' ') } },
    draw(from, random) {
      const factor = factors[random.integer(0, factors.length - 1)]!;
      const side = (length: number) => Math.max(1, Math.floor(length * factor));
      return scaleWarp(from, { height: side(from.height), width: side(from.width) }, false);
    },
  };
}

/** A turn about the middle by an angle drawn from a list, in degrees. */
export function rotate(degrees: readonly number[]): Transform {
  return {
    ...{ name: 'rotate', paper: LUCID, options: { degrees: degrees.join(' ') } },
    draw: (from, random) =>
      rotateWarp(from, (degrees[random.integer(0, degrees.length - 1)]! * Math.PI) / 180),
  };
}

/** Lucid's list: padding by 12, jitter of 8, scales 0.90 to 1.10, turns of -10 to 10 degrees (0 six times), jitter of 4. */
export function lucidTransforms(): readonly Transform[] {
  return [
    pad(12),
    jitter(8),
    scale(Array.from({ length: 11 }, (_, i) => (90 + 2 * i) / 100)),
    rotate([...Array.from({ length: 21 }, (_, i) => i - 10), 0, 0, 0, 0, 0]),
    jitter(4),
  ];
}
