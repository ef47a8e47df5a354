import type { Size } from './picture.js';

/** What the first bytes of a picture's file say. */
export interface PictureHeader extends Size {
  readonly format: string;
  /** `cmyk` where the levels mean nothing without a colour profile. */
  readonly space: string;
}

/**
 * The header of a PNG file, or of a JPEG file in grey or in colours of three components; undefined for all other bytes.
 * The sizes are those before any rotation.
 */
export function pictureHeader(bytes: Buffer): PictureHeader | undefined {
  return pngHeader(bytes) ?? jpegHeader(bytes);
}

const PNG = '\x89PNG\r\n\x1a\n';

function pngHeader(bytes: Buffer): PictureHeader | undefined {
  const isPng =
    bytes.length >= 33 &&
    bytes.toString('latin1', 0, 8) === PNG &&
    bytes.toString('latin1', 12, 16) === 'IHDR';
  if (!isPng) return undefined;
  return { format: 'png', width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20), space: 'srgb' };
}

function jpegHeader(bytes: Buffer): PictureHeader | undefined {
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0xffd8) return undefined;
  // Segments: a marker of two bytes, then their length, which counts itself.
  for (let at = 2; at + 10 <= bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
    const marker = bytes.readUInt16BE(at);
    if (marker < 0xffc0 || marker > 0xfffe || (marker >= 0xffd0 && marker <= 0xffda)) return undefined;
    // A frame is C0 to CF, among which C4, C8 and CC are tables.
    if (marker > 0xffcf || [0xffc4, 0xffc8, 0xffcc].includes(marker)) continue;
    const [height, width, components] = [
      bytes.readUInt16BE(at + 5),
      bytes.readUInt16BE(at + 7),
      bytes[at + 9],
    ];
    const isKnown = (components === 1 || components === 3) && height > 0 && width > 0;
    return isKnown ? { format: 'jpeg', width, height, space: 'srgb' } : undefined;
  }
  return undefined;
}
