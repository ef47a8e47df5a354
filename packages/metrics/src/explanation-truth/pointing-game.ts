import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { Relevance } from './relevance.js';

/** The pixel a map is largest at, 0-based; of equals the first, row by row. */
export function strongestPixel({ width, values }: Relevance): readonly [y: number, x: number] {
  let best = 0;
  for (let pixel = 1; pixel < values.length; pixel++) if (values[pixel]! > values[best]!) best = pixel;
  return [Math.floor(best / width), best % width];
}

/**
 * The pointing game (Zhang et al. 2016, Top-down Neural Attention by Excitation Backprop, arXiv:1608.00507): a hit if the
 * pixel a map is largest at lies in the object's mask or within `tolerance` pixels of it, measured between the middles
 * of pixels. Of equal largest values the first counts, row by row; a map that is the same everywhere points at the top
 * left pixel.
 *
 * @param mask `[H, W]`, other than 0 on the object
 * @param tolerance 15 by default, as in the paper
 *
 * Throws `bad-input` for a mask of another size than the map, `wrong-use` for a negative tolerance.
 */
export function pointingGame(relevance: Relevance, mask: Tensor<Uint8Array>, tolerance = 15): boolean {
  const { height, width } = relevance;
  if (mask.dims.join() !== [height, width].join() || mask.data.length !== height * width) {
    throw new UnitscopeError(
      'bad-input',
      `the mask must be [${height}, ${width}] like the map, it has dims [${mask.dims.join(', ')}]`,
    );
  }
  if (!(tolerance >= 0))
    throw new UnitscopeError('wrong-use', `tolerance must be 0 pixels or more, it is ${tolerance}`);
  const [y, x] = strongestPixel(relevance);
  const reach = Math.floor(Math.min(tolerance, Math.max(height, width)));
  for (let row = Math.max(0, y - reach); row <= Math.min(height - 1, y + reach); row++) {
    for (let column = Math.max(0, x - reach); column <= Math.min(width - 1, x + reach); column++) {
      const isNear = (row - y) ** 2 + (column - x) ** 2 <= tolerance ** 2;
      if (isNear && mask.data[row * width + column] !== 0) return true;
    }
  }
  return false;
}
