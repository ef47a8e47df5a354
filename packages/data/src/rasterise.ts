import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import sharp from 'sharp';

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
