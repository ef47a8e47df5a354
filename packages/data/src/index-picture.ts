import { readFile } from 'node:fs/promises';
import { reasonOf, UnitscopeError } from '@unitscope/tensor';
import { decode, hasPngSignature } from 'fast-png';
import type { Size } from './picture.js';

/** The numbers that a PNG file holds, before any palette turns them into colours, row by row. */
export interface NumberPicture extends Size {
  /** 1 for grey levels or indices into a palette, 3 or 4 for colours. */
  readonly channels: number;
  readonly data: Uint8Array | Uint16Array;
}

// As of decodePicture: beyond it a file is no picture but an attack.
const MAX_PIXELS = 100e6;

/**
 * Reads a PNG file for its numbers: masks of indices, colour-coded masks.
 *
 * Throws `not-found`, and `bad-file` for a file that is no PNG, damaged or too large.
 */
export async function readNumberPicture(path: string): Promise<NumberPicture> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read mask ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  });
  const bad = (why: string, cause?: unknown) =>
    new UnitscopeError('bad-file', `mask ${path} ${why}`, { subject: path, cause });
  if (bytes.length < 33 || !hasPngSignature(bytes)) throw bad('is not a PNG file; masks must not lose a bit');
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  if (width * height > MAX_PIXELS || width * height === 0)
    throw bad(`is ${width}x${height}; a mask has 1 to ${MAX_PIXELS} pixels`);
  let png: ReturnType<typeof decode>;
  try {
    png = decode(bytes);
  } catch (cause) {
    throw bad(`is a damaged or truncated PNG file (${reasonOf(cause)}); fetch or save it again`, cause);
  }
  const { channels, depth } = png;
  const data =
    png.data instanceof Uint8ClampedArray
      ? new Uint8Array(png.data.buffer, png.data.byteOffset, png.data.length)
      : png.data;
  const unpacked = depth < 8 ? unpack(data, width, height, depth) : data;
  if (unpacked.length !== width * height * channels)
    throw bad('is a damaged PNG file; fetch or save it again');
  return { width, height, channels, data: unpacked };
}

/** Several pixels lie in a byte, the first in the high bits; every row starts with a new byte. */
function unpack(packed: ArrayLike<number>, width: number, height: number, depth: number): Uint8Array {
  const perByte = 8 / depth;
  const rowBytes = Math.ceil(width / perByte);
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = packed[y * rowBytes + Math.floor(x / perByte)] ?? 0;
      data[y * width + x] = (byte >> (8 - depth * ((x % perByte) + 1))) & ((1 << depth) - 1);
    }
  }
  return data;
}
