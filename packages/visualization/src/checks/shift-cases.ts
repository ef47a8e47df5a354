import { Random, sizeOf, type Tensor } from '@unitscope/tensor';
import { type Baseline, baselinePicture } from '../methods/baseline.js';
import type { Method } from '../methods/method.js';
import { type MethodOptions, methodNamed, methods } from '../methods/table.js';

/** One line of the check's table: a method, and the same made for pictures that are shifted. */
export interface ShiftCase {
  /** The method's name, and what it is made with where that decides. */
  readonly name: string;
  readonly method: Method;
  /** @param shift of the pictures, [1, C, H, W] */
  readonly shifted: (shift: Tensor) => Method;
}

export interface ShiftCaseOptions extends MethodOptions {
  /** Methods by name; all by default. */
  readonly names?: readonly string[];
  /** What is black in the pictures; 0 by default. */
  readonly black?: Baseline;
}

/** The name of the case whose baseline stays 0, and of the one whose black baseline is shifted with the picture. */
const ZERO = 'zero baseline';
const BLACK = 'black baseline, shifted along';

/**
 * The cases of the methods of the table. A method with a baseline is two: the baseline 0 for both networks, and the
 * black picture, which is shifted as the pictures are. Methods that add noise get the same noise for both networks,
 * scaled by the pictures before the shift: a shift by a picture would change the range it is a part of.
 *
 * @param batch the pictures, [N, C, H, W]
 *
 * Throws as `methodNamed`.
 */
export function shiftCases(batch: Tensor, options: ShiftCaseOptions = {}): readonly ShiftCase[] {
  const { names = methods.map(({ name }) => name), black = 0, ...rest } = options;
  return names.flatMap((name): ShiftCase[] => {
    const plain = methodNamed(name, rest);
    const { baseline, noise, samples } = plain.parameters ?? {};
    if (baseline !== undefined) {
      const zero = methodNamed(name, { ...rest, baseline: 0 });
      const moved = (shift: Tensor) => sum(baselinePicture(black, batch), shift);
      return [
        { name: `${name}, ${ZERO}`, method: zero, shifted: () => zero },
        {
          name: `${name}, ${BLACK}`,
          method: methodNamed(name, { ...rest, baseline: black }),
          shifted: (shift) => methodNamed(name, { ...rest, baseline: moved(shift) }),
        },
      ];
    }
    if (typeof noise === 'number' && typeof samples === 'number') {
      const given = noiseFor(batch, samples, noise, rest.seed ?? 0);
      const method = methodNamed(name, { ...rest, given });
      return [{ name, method, shifted: () => method }];
    }
    return [{ name, method: plain, shifted: () => plain }];
  });
}

function noiseFor({ dims, data }: Tensor, samples: number, noise: number, seed: number): Tensor {
  const rest = dims.slice(1);
  return new Random(seed).normalTensor([samples, ...rest], 0, noise * rangeOf(data));
}

/** The largest value less the smallest. */
export function rangeOf(data: Float32Array): number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return high - low;
}

/** One tensor of a sample added to every sample of another. */
export function sum({ dims, data }: Tensor, shift: Tensor): Tensor {
  const size = sizeOf(shift.dims);
  return { dims, data: data.map((value, i) => value + shift.data[i % size]!) };
}
