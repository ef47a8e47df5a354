import { UnitscopeError } from '@unitscope/tensor';
import { resample } from './resample.js';

/** 8-bit grey (1 channel), RGB (3) or RGB and opacity (4), interleaved, row by row from the top left. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly data: Uint8Array;
}

/** Red, green and blue, 0..255. */
export type Color = readonly [number, number, number];

/** What figures are drawn on, and what is written on it. */
export const WHITE: Color = [255, 255, 255];
export const INK: Color = [24, 24, 24];

// Larger canvases are mistakes: a picture of 2^28 pixels takes 800 MB.
const MAX_PIXELS = 2 ** 28;

/** Throws `bad-input` unless the picture has the bytes its size promises. */
export function checkPicture(picture: Picture): void {
  const { width, height, channels, data } = picture;
  const sized = [width, height].every((side) => Number.isInteger(side) && side > 0);
  if (!sized || ![1, 3, 4].includes(channels) || data.length !== width * height * channels) {
    throw new UnitscopeError(
      'bad-input',
      `a picture of ${width}x${height} with ${channels} channels cannot have ${data.length} bytes`,
    );
  }
}

/** An RGB picture of one colour. Throws `wrong-use` for a size that is empty or above 2^28 pixels. */
export function blankPicture(width: number, height: number, color: Color): Picture {
  const sized = [width, height].every((side) => Number.isInteger(side) && side > 0);
  if (!sized || width * height > MAX_PIXELS) {
    throw new UnitscopeError('wrong-use', `a picture cannot be ${width}x${height} pixels; make it smaller`);
  }
  const data = new Uint8Array(width * height * 3);
  const [red, green, blue] = color;
  for (let i = 0; i < data.length; i += 3) {
    data[i] = red;
    data[i + 1] = green;
    data[i + 2] = blue;
  }
  return { width, height, channels: 3, data };
}

/** The picture in RGB: grey is repeated, transparency is laid on `background` (white by default). */
export function toRgb(picture: Picture, background: Color = [255, 255, 255]): Picture {
  checkPicture(picture);
  const { width, height, channels, data } = picture;
  if (channels === 3) return picture;
  const rgb = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      if (channels === 1) {
        rgb[pixel * 3 + channel] = data[pixel]!;
      } else {
        const opacity = data[pixel * 4 + 3]! / 255;
        const level = data[pixel * 4 + channel]! * opacity + background[channel]! * (1 - opacity);
        rgb[pixel * 3 + channel] = Math.round(level);
      }
    }
  }
  return { width, height, channels: 3, data: rgb };
}

/**
 * The picture at another size: `nearest` keeps pixels as blocks, `bilinear` is smooth and, when reducing, averages over
 * everything it leaves out. Throws `wrong-use` for a size that is empty or above 2^28 pixels.
 */
export function scalePicture(
  picture: Picture,
  size: { readonly width: number; readonly height: number },
  filter: 'nearest' | 'bilinear',
): Picture {
  checkPicture(picture);
  const { width, height } = size;
  const target = blankPicture(width, height, [0, 0, 0]);
  const { channels } = picture;
  if (width === picture.width && height === picture.height) return picture;
  if (filter === 'bilinear') {
    const data = Uint8Array.from(resample(picture.data, picture, size), Math.round);
    return { width, height, channels, data };
  }
  const data = channels === 3 ? target.data : new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const fromY = Math.floor(((y + 0.5) * picture.height) / height);
    for (let x = 0; x < width; x++) {
      const fromX = Math.floor(((x + 0.5) * picture.width) / width);
      const from = (fromY * picture.width + fromX) * channels;
      for (let channel = 0; channel < channels; channel++) {
        data[(y * width + x) * channels + channel] = picture.data[from + channel]!;
      }
    }
  }
  return { width, height, channels, data };
}

/** Copies an RGB picture into `canvas` with its top left corner at (left, top); what lies outside is cut off. */
export function paste(canvas: Picture, picture: Picture, left: number, top: number): void {
  const { data } = toRgb(picture);
  const firstX = Math.max(0, -left);
  const endX = Math.min(picture.width, canvas.width - left);
  if (endX <= firstX) return;
  for (let y = Math.max(0, -top); y < Math.min(picture.height, canvas.height - top); y++) {
    const row = data.subarray((y * picture.width + firstX) * 3, (y * picture.width + endX) * 3);
    canvas.data.set(row, ((top + y) * canvas.width + left + firstX) * 3);
  }
}
