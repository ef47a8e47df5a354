import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import sharp from 'sharp';
import type { RgbPicture } from './picture.js';

// What an SVG is drawn at when nothing else is said, in dots an inch.
const DENSITY = 72;

/**
 * An SVG document as a PNG file, `scale` pixels for each of its own. Text needs a font on the machine. Throws `bad-file`
 * for what is no SVG.
 */
export async function rasteriseSvg(svg: string, { scale = 1 } = {}): Promise<Uint8Array> {
  try {
    return await sharp(Buffer.from(svg), { density: DENSITY * scale })
      .png()
      .toBuffer();
  } catch (cause) {
    throw new UnitscopeError('bad-file', `the SVG cannot be drawn: ${reasonOf(cause)}`, { cause });
  }
}

export interface RasteriseOptions {
  /** Pixels for each of the document's own; 1 by default. */
  readonly scale?: number;
  /** What shows where it is transparent; by default it must not be, and colours stay as they are drawn to the last bit. */
  readonly background?: string;
}

/** An SVG document as pixels. Throws as `rasteriseSvg`. */
export async function rasterisePixels(
  svg: string,
  { scale = 1, background }: RasteriseOptions = {},
): Promise<RgbPicture> {
  try {
    const drawn = sharp(Buffer.from(svg), { density: DENSITY * scale });
    const { data, info } = await (background === undefined
      ? drawn.removeAlpha()
      : drawn.flatten({ background })
    )
      .raw()
      .toBuffer({ resolveWithObject: true });
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.length);
    return { width: info.width, height: info.height, channels: 3, data: pixels };
  } catch (cause) {
    throw new UnitscopeError('bad-file', `the SVG cannot be drawn: ${reasonOf(cause)}`, { cause });
  }
}

/** A picture as a PNG file. */
export async function encodePicture({ width, height, channels, data }: RgbPicture): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels } }).png().toBuffer();
}
