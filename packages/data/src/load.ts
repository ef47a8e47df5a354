import { type Tensor, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import { type DecodeOptions, decodePicture, type PictureFile } from './decode.js';
import { fitPicture } from './fit.js';
import { normalisePicture } from './normalise.js';
import type { RgbPicture, Size } from './picture.js';
import type { Preprocessing } from './preprocessing.js';

/** A picture as a network sees it. */
export interface LoadedPicture {
  readonly path: string;
  /** [1, 3, height, width], float32. */
  readonly tensor: Tensor;
  /** Exactly the pixels in `tensor`, in RGB and before normalisation. */
  readonly rgb: RgbPicture;
  readonly record: PictureRecord;
}

/** What a result must say about its input: the file, and what was done to it. */
export interface PictureRecord extends PictureFile {
  readonly preprocessing: Preprocessing;
  readonly size: Size;
}

/**
 * Decodes a picture (see `decodePicture`), fits it to `size` and normalises it.
 *
 * Throws the errors of `decodePicture`, and `wrong-use` for a size that is not of positive integers.
 */
export async function loadPicture(
  path: string,
  preprocessing: Preprocessing,
  size: Size,
  options: DecodeOptions = {},
): Promise<LoadedPicture> {
  checkSize(size);
  const { rgb: whole, file } = await decodePicture(path, options);
  const rgb = await fitPicture(whole, preprocessing, size, { signal: options.signal });
  const { height, width } = size;
  return {
    path,
    tensor: normalisePicture(rgb, preprocessing),
    rgb,
    record: { ...file, preprocessing, size: { height, width } },
  };
}

// 2^14 squared times 3 channels of float32 is 3 GB, past what an input of a network can be.
const MAX_SIDE = 2 ** 14;

function checkSize({ height, width }: Size): void {
  for (const side of [height, width]) {
    if (!Number.isInteger(side) || side < 1 || side > MAX_SIDE) {
      throw new UnitscopeError(
        'wrong-use',
        `a picture cannot be scaled to ${height}x${width}; give a height and width from 1 to ${MAX_SIDE}`,
      );
    }
  }
}

export interface LoadProgress {
  readonly done: number;
  readonly total: number;
  readonly path: string;
}

export interface LoadOptions extends DecodeOptions {
  /** How many pictures are decoded, or wait to be fetched, at a time; bounds the memory. Default 4. */
  readonly concurrency?: number;
  /** Called after each picture, in the order of `paths`. */
  readonly onProgress?: (progress: LoadProgress) => void;
}

/**
 * Loads pictures in the order of `paths`, a few at a time, as fast as they are fetched. The first error ends it, and
 * nothing is still running when it has ended.
 */
export async function* streamPictures(
  paths: readonly string[],
  preprocessing: Preprocessing,
  size: Size,
  options: LoadOptions = {},
): AsyncGenerator<LoadedPicture, void, undefined> {
  yield* reporting(
    paths,
    (path, signal) => loadPicture(path, preprocessing, size, { ...options, signal }),
    options,
  );
}

/** Loads all `paths` as `streamPictures` does. Throws the first error, naming its file. */
export async function loadPictures(
  paths: readonly string[],
  preprocessing: Preprocessing,
  size: Size,
  options: LoadOptions = {},
): Promise<LoadedPicture[]> {
  return collect(streamPictures(paths, preprocessing, size, options));
}

/** `load` over `paths` as `inOrder`, with progress. */
export async function* reporting<T>(
  paths: readonly string[],
  load: (path: string, signal: AbortSignal) => Promise<T>,
  options: LoadOptions,
): AsyncGenerator<T, void, undefined> {
  let done = 0;
  for await (const loaded of inOrder(paths, load, options)) {
    options.onProgress?.({ done: done + 1, total: paths.length, path: paths[done]! });
    done++;
    yield loaded;
  }
}

/** `load` over `items` with bounded look-ahead, results in order. */
export async function* inOrder<Item, T>(
  items: readonly Item[],
  load: (item: Item, signal: AbortSignal) => Promise<T>,
  options: Pick<LoadOptions, 'concurrency' | 'signal'>,
): AsyncGenerator<T, void, undefined> {
  const { concurrency = 4, signal } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new UnitscopeError('wrong-use', `concurrency ${concurrency} must be a positive integer`);
  }
  throwIfAborted(signal);
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const running: Promise<T>[] = [];
  let started = 0;
  try {
    for (const _ of items) {
      while (started < items.length && running.length < concurrency) {
        const next = load(items[started++]!, either);
        // Whoever awaits it later sees the error; until then it must not count as unhandled.
        next.catch(() => {});
        running.push(next);
      }
      yield await running.shift()!;
      throwIfAborted(signal);
    }
  } finally {
    stop.abort();
    await Promise.allSettled(running);
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
