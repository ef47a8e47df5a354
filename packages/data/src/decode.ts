import { webcrypto } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { reasonOf, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import sharp from 'sharp';
import type { RgbPicture } from './picture.js';
import { type PictureHeader, pictureHeader } from './picture-header.js';

// Every picture is decoded once, so the library's cache of recent operations would only hold memory.
sharp.cache(false);

/** What is known about a picture file. */
export interface PictureFile {
  readonly path: string;
  /** Of the bytes of the file, in hexadecimal. */
  readonly sha256: string;
  readonly format: string;
  /** As displayed, in pixels: after the EXIF rotation. */
  readonly width: number;
  readonly height: number;
}

export interface DecodeOptions {
  /** Larger pictures are refused before they are decoded. Default 100 million pixels. */
  readonly maxPixels?: number;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_MAX_PIXELS = 100e6;
const FORMATS = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'];
const FORMATS_SHOWN = 'JPEG, PNG, WebP, GIF, TIFF or AVIF';

/**
 * Decodes a picture to 8-bit RGB at its full size. The EXIF rotation is applied, transparency is laid on white, grey
 * becomes RGB, 16 bits become 8, CMYK goes through its colour profile, of an animation the first picture counts. The
 * colour profile of an RGB picture is ignored, as the pipelines that train networks do.
 *
 * Throws `not-found`, `wrong-use` for a folder, `bad-file` for a file that is empty, truncated, damaged, too large or
 * no picture, `aborted`.
 */
export async function decodePicture(
  path: string,
  options: DecodeOptions = {},
): Promise<{ rgb: RgbPicture; file: PictureFile }> {
  const { rgb, format, bytes } = await decodeFile(path, options);
  const digest = await webcrypto.subtle.digest('SHA-256', bytes);
  throwIfAborted(options.signal);
  const { width, height } = rgb;
  return { rgb, file: { path, sha256: Buffer.from(digest).toString('hex'), format, width, height } };
}

/** As `decodePicture`, for pictures of a data set, whose files nobody asks the hash of. */
export async function decodePixels(path: string, options: DecodeOptions = {}): Promise<RgbPicture> {
  return (await decodeFile(path, options)).rgb;
}

async function decodeFile(
  path: string,
  { maxPixels = DEFAULT_MAX_PIXELS, signal }: DecodeOptions,
): Promise<{ rgb: RgbPicture; format: string; bytes: Buffer<ArrayBuffer> }> {
  throwIfAborted(signal);
  const bytes = await readPictureBytes(path);
  throwIfAborted(signal);

  const { format, width, height, space } = pictureHeader(bytes) ?? (await readMetadata(bytes, path));
  if (!FORMATS.includes(format)) {
    throw new UnitscopeError('bad-file', `${path} is ${format}, not a picture of pixels; save it as PNG`, {
      subject: path,
    });
  }
  if (width * height > maxPixels) {
    throw new UnitscopeError(
      'bad-file',
      `${path} is ${width}x${height}, more than ${maxPixels} pixels; scale it down or raise maxPixels`,
      { subject: path },
    );
  }

  // An RGB profile is ignored, a CMYK picture has no meaning without one.
  const ignoreIcc = space !== 'cmyk';
  const { data, info } = await sharp(bytes, { limitInputPixels: maxPixels, ignoreIcc, failOn: 'error' })
    .autoOrient()
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new UnitscopeError(
        'bad-file',
        `${path} is a damaged or truncated ${format} file (${reasonOf(cause)}); fetch or save it again`,
        { subject: path, cause },
      );
    });
  throwIfAborted(signal);
  if (info.channels !== 3) {
    throw new UnitscopeError('bad-file', `${path} has ${info.channels} channels; save it as an RGB picture`, {
      subject: path,
    });
  }
  // A plain array over the same bytes: what is promised is not a Buffer, whose slice() is a view.
  const pixels = new Uint8Array(data.buffer, data.byteOffset, data.length);
  return { rgb: { width: info.width, height: info.height, channels: 3, data: pixels }, format, bytes };
}

/** The header of any format, which takes the decoder a run of its own. */
async function readMetadata(bytes: Buffer, path: string): Promise<PictureHeader> {
  return sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((cause: unknown) => {
      throw new UnitscopeError('bad-file', `${path} is not a picture; give a ${FORMATS_SHOWN} file`, {
        subject: path,
        cause,
      });
    });
}

async function readPictureBytes(path: string): Promise<Buffer<ArrayBuffer>> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) {
      throw new UnitscopeError('wrong-use', `${path} is a folder; name the pictures in it`, {
        subject: path,
      });
    }
    if (!found.isFile()) {
      throw new UnitscopeError('wrong-use', `${path} is not a file; give a ${FORMATS_SHOWN} file`, {
        subject: path,
      });
    }
    const bytes = await readFile(path);
    if (bytes.length === 0) {
      throw new UnitscopeError('bad-file', `${path} is empty; fetch or save it again`, { subject: path });
    }
    return bytes;
  } catch (cause) {
    if (cause instanceof UnitscopeError) throw cause;
    throw new UnitscopeError('not-found', `cannot read picture ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
}
