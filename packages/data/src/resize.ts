import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfAborted } from '@unitscope/tensor';
import { type Box, cropPicture, type RgbPicture, type Size } from './picture.js';

/**
 * How a picture is scaled.
 *
 * - `bilinear`, `bicubic` (a = -0.5): when reducing, the kernel widens by the reduction, so every source pixel
 *   counts; this is what Pillow, torchvision on Pillow pictures and `tf.image.resize(antialias=True)` do
 * - `bilinear-no-antialias`: always the four nearest source pixels, as OpenCV's `INTER_LINEAR`
 * - `nearest`: the source pixel under the centre of the output pixel
 */
export type ResizeFilter = 'nearest' | 'bilinear' | 'bicubic' | 'bilinear-no-antialias';

interface Kernel {
  /** Half the width of the kernel, in source pixels at scale 1. */
  readonly support: number;
  readonly antialias: boolean;
  readonly weight: (distance: number) => number;
}

const triangle = (distance: number): number => Math.max(0, 1 - Math.abs(distance));

// R. Keys, Cubic convolution interpolation for digital image processing, 1981, with a = -1/2.
const cubic = (distance: number): number => {
  const d = Math.abs(distance);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
};

const KERNELS: Record<Exclude<ResizeFilter, 'nearest'>, Kernel> = {
  bilinear: { support: 1, antialias: true, weight: triangle },
  bicubic: { support: 2, antialias: true, weight: cubic },
  'bilinear-no-antialias': { support: 1, antialias: false, weight: triangle },
};

export const RESIZE_FILTERS: readonly ResizeFilter[] = [
  'nearest',
  'bilinear',
  'bicubic',
  'bilinear-no-antialias',
];

// Weights are fixed point and each pass rounds to 8 bits, so that the result agrees with Pillow's grey level for
// grey level. 22 bits leave room for 255 times the kernel's sum of absolute weights (1.25 for the cubic) in int32.
const BITS = 22;
const HALF = 1 << (BITS - 1);

/** The taps of the output positions `from` to `from + count` along one axis. */
interface Taps {
  /** First source index of each output position. */
  readonly start: Int32Array;
  /** Where the weights of each output position begin; one entry more than positions. */
  readonly offset: Int32Array;
  readonly weights: Int32Array;
}

// The event loop gets a turn after this many multiply-adds, about a millisecond: several pictures that are resized at
// once do their shares in the same turn.
const WORK_PER_TURN = 2 ** 19;

/**
 * Scales `picture` to `full` and returns the part of the result inside `window` (the whole by default). Only that
 * part is computed, so cropping the middle out of an extreme enlargement costs nothing extra.
 *
 * Yields to the event loop about every millisecond. Throws `aborted`.
 */
export async function resizePicture(
  picture: RgbPicture,
  full: Size,
  filter: ResizeFilter,
  options: { readonly window?: Box; readonly signal?: AbortSignal | undefined } = {},
): Promise<RgbPicture> {
  const window = options.window ?? { top: 0, left: 0, ...full };
  throwIfAborted(options.signal);
  if (picture.width === full.width && picture.height === full.height) return cropPicture(picture, window);
  const across = tapsOf(picture.width, full.width, window.left, window.width, filter);
  const down = tapsOf(picture.height, full.height, window.top, window.height, filter);

  const firstRow = down.start[0]!;
  const last = window.height - 1;
  const lastRow = down.start[last]! + down.offset[last + 1]! - down.offset[last]!;
  const rowBytes = window.width * 3;
  // The clamped views bring what a cubic overshoots back to 0..255.
  const narrow = new Uint8ClampedArray((lastRow - firstRow) * rowBytes);
  await inTurns(lastRow - firstRow, across.weights.length * 3, options.signal, (from, end) =>
    scaleRows(picture, firstRow, across, from, end, narrow),
  );

  const data = new Uint8Array(window.height * rowBytes);
  const clamped = new Uint8ClampedArray(data.buffer);
  const sums = new Int32Array(rowBytes);
  const rowWork = Math.ceil(down.weights.length / window.height) * rowBytes;
  await inTurns(window.height, rowWork, options.signal, (from, end) => {
    for (let row = from; row < end; row++) sumRows(narrow, firstRow, down, row, sums, clamped);
  });
  return { width: window.width, height: window.height, channels: 3, data };
}

/** `work` over the rows, a few at a time with turns of the event loop between. */
async function inTurns(
  rows: number,
  rowWork: number,
  signal: AbortSignal | undefined,
  work: (from: number, end: number) => void,
): Promise<void> {
  const rowsPerTurn = Math.max(1, Math.floor(WORK_PER_TURN / rowWork));
  for (let row = 0; row < rows; row += rowsPerTurn) {
    if (row > 0) {
      await nextTurn();
      throwIfAborted(signal);
    }
    work(row, Math.min(rows, row + rowsPerTurn));
  }
}

function tapsOf(inSize: number, outSize: number, from: number, count: number, filter: ResizeFilter): Taps {
  const scale = inSize / outSize;
  const start = new Int32Array(count);
  const offset = new Int32Array(count + 1);
  if (filter === 'nearest') {
    for (let i = 0; i < count; i++) {
      start[i] = Math.min(inSize - 1, Math.floor((from + i + 0.5) * scale));
      offset[i + 1] = i + 1;
    }
    return { start, offset, weights: new Int32Array(count).fill(1 << BITS) };
  }
  const kernel = KERNELS[filter];
  const stretch = kernel.antialias ? Math.max(1, scale) : 1;
  const support = kernel.support * stretch;
  const weights: number[] = [];
  for (let i = 0; i < count; i++) {
    const centre = (from + i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - support + 0.5));
    const end = Math.min(inSize, Math.floor(centre + support + 0.5));
    const taps: number[] = [];
    for (let x = first; x < end; x++) taps.push(kernel.weight((x + 0.5 - centre) / stretch));
    const sum = taps.reduce((total, weight) => total + weight, 0);
    for (const weight of taps) weights.push(toFixed(weight / sum));
    start[i] = first;
    offset[i + 1] = weights.length;
  }
  return { start, offset, weights: Int32Array.from(weights) };
}

function toFixed(weight: number): number {
  return Math.sign(weight) * Math.floor(Math.abs(weight) * 2 ** BITS + 0.5);
}

/** Rows `from` to `end` of the narrow picture; `firstRow` of the picture is its row 0. */
function scaleRows(
  { data, width }: RgbPicture,
  firstRow: number,
  { start, offset, weights }: Taps,
  from: number,
  end: number,
  out: Uint8ClampedArray,
): void {
  let next = from * start.length * 3;
  for (let row = from; row < end; row++) {
    const rowStart = (firstRow + row) * width;
    for (let x = 0; x < start.length; x++) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let at = (rowStart + start[x]!) * 3;
      const stop = offset[x + 1]!;
      for (let tap = offset[x]!; tap < stop; tap++, at += 3) {
        const weight = weights[tap]!;
        // imul and | 0 keep it to integers of 32 bits, several times as fast as the products of numbers.
        red = (red + Math.imul(data[at]!, weight)) | 0;
        green = (green + Math.imul(data[at + 1]!, weight)) | 0;
        blue = (blue + Math.imul(data[at + 2]!, weight)) | 0;
      }
      out[next++] = red >> BITS;
      out[next++] = green >> BITS;
      out[next++] = blue >> BITS;
    }
  }
}

/** One row of the result from rows of the narrow picture, two of them at a time. */
function sumRows(
  narrow: Uint8ClampedArray,
  firstRow: number,
  { start, offset, weights }: Taps,
  row: number,
  sums: Int32Array,
  out: Uint8ClampedArray,
): void {
  const length = sums.length;
  const end = offset[row + 1]!;
  let at = (start[row]! - firstRow) * length;
  sums.fill(HALF);
  let tap = offset[row]!;
  for (; tap + 1 < end; tap += 2, at += 2 * length) {
    const [upper, lower] = [weights[tap]!, weights[tap + 1]!];
    const below = at + length;
    for (let i = 0; i < length; i++)
      sums[i] = (sums[i]! + Math.imul(narrow[at + i]!, upper) + Math.imul(narrow[below + i]!, lower)) | 0;
  }
  if (tap < end) {
    const weight = weights[tap]!;
    for (let i = 0; i < length; i++) sums[i] = (sums[i]! + Math.imul(narrow[at + i]!, weight)) | 0;
  }
  const first = row * length;
  for (let i = 0; i < length; i++) out[first + i] = sums[i]! >> BITS;
}
