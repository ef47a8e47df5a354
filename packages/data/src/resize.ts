import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfAborted } from '@unitscope/tensor';
import type { Box, RgbPicture, Size } from './picture.js';

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
  /** The most weights of one output position. */
  readonly most: number;
}

// The event loop gets a turn after this many multiply-adds, about a millisecond: several pictures that are resized at
// once do their shares in the same turn.
const WORK_PER_TURN = 2 ** 20;

export interface ResizeOptions {
  /** The part of the result that is wanted; the whole by default. */
  readonly window?: Box;
  readonly signal?: AbortSignal | undefined;
}

/** Takes a row of a result, red, green and blue of each pixel in turn. The levels are lent: the next row overwrites them. */
export type RowTaker = (row: number, levels: Uint8Array) => void;

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
  options: ResizeOptions = {},
): Promise<RgbPicture> {
  const { width, height } = options.window ?? full;
  const data = new Uint8Array(height * width * 3);
  await resizeRows(picture, full, filter, options, (row, levels) => data.set(levels, row * width * 3));
  return { width, height, channels: 3, data };
}

/** As `resizePicture`, the rows of the window handed over one by one from the top: the result need never be in memory. */
export async function resizeRows(
  picture: RgbPicture,
  full: Size,
  filter: ResizeFilter,
  { window = { top: 0, left: 0, ...full }, signal }: ResizeOptions,
  take: RowTaker,
): Promise<void> {
  throwIfAborted(signal);
  if (picture.width === full.width && picture.height === full.height) {
    for (let row = 0; row < window.height; row++) {
      const start = ((window.top + row) * picture.width + window.left) * 3;
      take(row, picture.data.subarray(start, start + window.width * 3));
    }
    return;
  }
  const across = tapsOf(picture.width, full.width, window.left, window.width, filter);
  const down = tapsOf(picture.height, full.height, window.top, window.height, filter);
  const rows = new NarrowRows(picture, across, down.most);
  // The clamped view brings what a cubic overshoots back to 0..255.
  const clamped = new Uint8ClampedArray(window.width * 3);
  const levels = new Uint8Array(clamped.buffer);
  const sums = new Int32Array(levels.length);
  const reduction = Math.max(1, picture.height / full.height);
  const rowWork = across.weights.length * 3 * reduction + levels.length * down.most;
  const rowsPerTurn = Math.max(1, Math.floor(WORK_PER_TURN / rowWork));
  for (let row = 0; row < window.height; row++) {
    if (row > 0 && row % rowsPerTurn === 0) {
      await nextTurn();
      throwIfAborted(signal);
    }
    sumRows(rows, down, row, sums, clamped);
    take(row, levels);
  }
}

/** Rows of a picture scaled to the result's width, made as they are asked for and held as long as they can be needed. */
class NarrowRows {
  readonly #picture: RgbPicture;
  readonly #across: Taps;
  readonly #held: Uint8ClampedArray[];
  /** Which row each of the held ones is. */
  readonly #numbers: Int32Array;

  /** @param most rows that are needed at a time, which follow one another */
  constructor(picture: RgbPicture, across: Taps, most: number) {
    this.#picture = picture;
    this.#across = across;
    this.#held = Array.from({ length: most }, () => new Uint8ClampedArray(across.start.length * 3));
    this.#numbers = new Int32Array(most).fill(-1);
  }

  row(number: number): Uint8ClampedArray {
    const place = number % this.#held.length;
    const row = this.#held[place]!;
    if (this.#numbers[place] !== number) {
      const scale = this.#across.most <= 2 ? scaleRowByPairs : scaleRow;
      scale(this.#picture, number, this.#across, row);
      this.#numbers[place] = number;
    }
    return row;
  }
}

/** The data of one size are scaled alike: few of these are in use at a time, and making one costs as much as using it. */
const knownTaps = new Map<string, Taps>();
const MOST_KNOWN_TAPS = 64;

function tapsOf(inSize: number, outSize: number, from: number, count: number, filter: ResizeFilter): Taps {
  const key = `${inSize} ${outSize} ${from} ${count} ${filter}`;
  const known = knownTaps.get(key);
  if (known !== undefined) return known;
  const made = makeTaps(inSize, outSize, from, count, filter);
  const [oldest] = knownTaps.keys();
  if (knownTaps.size >= MOST_KNOWN_TAPS && oldest !== undefined) knownTaps.delete(oldest);
  knownTaps.set(key, made);
  return made;
}

function makeTaps(inSize: number, outSize: number, from: number, count: number, filter: ResizeFilter): Taps {
  const scale = inSize / outSize;
  const start = new Int32Array(count);
  const offset = new Int32Array(count + 1);
  if (filter === 'nearest') {
    for (let i = 0; i < count; i++) {
      start[i] = Math.min(inSize - 1, Math.floor((from + i + 0.5) * scale));
      offset[i + 1] = i + 1;
    }
    return { start, offset, weights: new Int32Array(count).fill(1 << BITS), most: 1 };
  }
  const kernel = KERNELS[filter];
  const stretch = kernel.antialias ? Math.max(1, scale) : 1;
  const support = kernel.support * stretch;
  const weights: number[] = [];
  let most = 0;
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
    most = Math.max(most, taps.length);
  }
  return { start, offset, weights: Int32Array.from(weights), most };
}

function toFixed(weight: number): number {
  return Math.sign(weight) * Math.floor(Math.abs(weight) * 2 ** BITS + 0.5);
}

/** One row of a picture, scaled across. */
function scaleRow(
  { data, width }: RgbPicture,
  row: number,
  { start, offset, weights }: Taps,
  out: Uint8ClampedArray,
): void {
  const rowStart = row * width;
  for (let x = 0, next = 0; x < start.length; x++, next += 3) {
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
    out[next] = red >> BITS;
    out[next + 1] = green >> BITS;
    out[next + 2] = blue >> BITS;
  }
}

/** As `scaleRow`, of one or two taps at every position, as enlarging has them: without the inner loop. */
function scaleRowByPairs(
  { data, width }: RgbPicture,
  row: number,
  { start, offset, weights }: Taps,
  out: Uint8ClampedArray,
): void {
  const rowStart = row * width;
  const { length } = start;
  for (let x = 0, next = 0; x < length; x++, next += 3) {
    const left = (rowStart + start[x]!) * 3;
    const tap = offset[x]!;
    // Of a single tap the second is the same place with no weight.
    const more = offset[x + 1]! - tap - 1;
    const right = left + 3 * more;
    const a = weights[tap]!;
    const b = Math.imul(weights[tap + more]!, more);
    out[next] = (HALF + Math.imul(data[left]!, a) + Math.imul(data[right]!, b)) >> BITS;
    out[next + 1] = (HALF + Math.imul(data[left + 1]!, a) + Math.imul(data[right + 1]!, b)) >> BITS;
    out[next + 2] = (HALF + Math.imul(data[left + 2]!, a) + Math.imul(data[right + 2]!, b)) >> BITS;
  }
}

/** One row of the result from rows that are scaled across, two of them at a time. */
function sumRows(
  rows: NarrowRows,
  { start, offset, weights }: Taps,
  row: number,
  sums: Int32Array,
  out: Uint8ClampedArray,
): void {
  const { length } = out;
  const end = offset[row + 1]!;
  let tap = offset[row]!;
  let number = start[row]!;
  const upper = rows.row(number);
  if (end - tap <= 2) {
    const isPair = end - tap === 2;
    const lower = isPair ? rows.row(number + 1) : upper;
    const a = weights[tap]!;
    const b = isPair ? weights[tap + 1]! : 0;
    // Three in a turn of the loop, whose own cost is about that of one.
    for (let i = 0; i < length; i += 3) {
      out[i] = (HALF + Math.imul(upper[i]!, a) + Math.imul(lower[i]!, b)) >> BITS;
      out[i + 1] = (HALF + Math.imul(upper[i + 1]!, a) + Math.imul(lower[i + 1]!, b)) >> BITS;
      out[i + 2] = (HALF + Math.imul(upper[i + 2]!, a) + Math.imul(lower[i + 2]!, b)) >> BITS;
    }
    return;
  }
  sums.fill(HALF);
  for (; tap + 1 < end; tap += 2, number += 2) {
    const first = rows.row(number);
    const second = rows.row(number + 1);
    const a = weights[tap]!;
    const b = weights[tap + 1]!;
    for (let i = 0; i < length; i++)
      sums[i] = (sums[i]! + Math.imul(first[i]!, a) + Math.imul(second[i]!, b)) | 0;
  }
  if (tap < end) {
    const last = rows.row(number);
    const weight = weights[tap]!;
    for (let i = 0; i < length; i++) sums[i] = (sums[i]! + Math.imul(last[i]!, weight)) | 0;
  }
  for (let i = 0; i < length; i++) out[i] = sums[i]! >> BITS;
}
