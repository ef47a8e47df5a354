import { UnitscopeError } from '@unitscope/tensor';
import { type Color, type Picture, toRgb } from './picture.js';

export interface OutlineOptions {
  /** Of the outline; default yellow. */
  readonly color?: Color;
  /** What is left of the light outside the mask, 0 to 1. Default 0.5. */
  readonly outside?: number;
}

const YELLOW: Color = [255, 230, 0];

/**
 * A picture with a mask shown on it: outlined, and everything outside dimmed, as reports of dissections do.
 *
 * @param mask one number for each pixel, row by row; other than 0 inside
 */
export function outlineMask(
  picture: Picture,
  mask: ArrayLike<number>,
  { color = YELLOW, outside = 0.5 }: OutlineOptions = {},
): Picture {
  const { width, height, data } = toRgb(picture);
  if (mask.length !== width * height)
    throw new UnitscopeError('bad-input', `a mask of ${mask.length} pixels does not fit ${width}x${height}`);
  const isInside = (y: number, x: number) =>
    y >= 0 && x >= 0 && y < height && x < width && mask[y * width + x] !== 0;
  const shown = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = isInside(y, x);
      const isEdge =
        inside && !(isInside(y - 1, x) && isInside(y + 1, x) && isInside(y, x - 1) && isInside(y, x + 1));
      for (let channel = 0; channel < 3; channel++) {
        const at = (y * width + x) * 3 + channel;
        const level = data[at]!;
        shown[at] = isEdge ? color[channel]! : inside ? level : Math.round(level * outside);
      }
    }
  }
  return { width, height, channels: 3, data: shown };
}
