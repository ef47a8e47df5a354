import { type FileHandle, mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArrayPool } from '@unitscope/data';
import { reasonOf, sizeOf, UnitscopeError } from '@unitscope/tensor';
import type { BatchShape, LabelledBatch } from './source.js';

export const CACHE_FILE = 'activations.cache';

// The states and results must still find room.
const SHARE_OF_FREE_DISK = 0.5;

/**
 * Activations and labels of the pictures of a first pass, in their order, on the disk for the second one: so many bytes a
 * picture, one after the other, numbers as they lie in memory. It goes with the state of the first pass: on the disk are at
 * least the pictures of a saved state, or those from the first on that the cache had room for.
 */
export class ActivationCache {
  readonly path: string;
  readonly recordBytes: number;
  /** Pictures there is room for. */
  readonly room: number;
  readonly #file: FileHandle;
  readonly #shape: BatchShape;
  #count: number;

  private constructor(path: string, file: FileHandle, shape: BatchShape, count: number, room: number) {
    this.path = path;
    this.#file = file;
    this.#shape = shape;
    this.recordBytes = recordBytesOf(shape);
    this.#count = count;
    this.room = room;
  }

  /**
   * Opens the cache in a folder, or begins one. What is there of pictures that the first pass has not taken is cut off.
   *
   * @param taken pictures that the saved first pass has taken
   * @param limit bytes that it may take, of which it takes no more than half of what is free
   */
  static async open(
    folder: string,
    shape: BatchShape,
    { taken, limit }: { taken: number; limit: number },
  ): Promise<ActivationCache> {
    const path = join(folder, CACHE_FILE);
    try {
      await mkdir(folder, { recursive: true });
      const file = await open(path, 'a+').then(async (made) => {
        await made.close();
        return open(path, 'r+');
      });
      const bytes = recordBytesOf(shape);
      const { size } = await file.stat();
      const count = Math.min(taken, Math.floor(size / bytes));
      await file.truncate(count * bytes);
      const { bavail, bsize } = await statfs(folder);
      const free = Math.floor(bavail * bsize * SHARE_OF_FREE_DISK);
      const room = Math.floor(Math.min(limit, count * bytes + free) / bytes);
      return new ActivationCache(path, file, shape, count, room);
    } catch (cause) {
      throw new UnitscopeError('not-found', `cannot write ${path}: ${reasonOf(cause)}`, {
        subject: path,
        cause,
      });
    }
  }

  static async remove(folder: string): Promise<void> {
    await rm(join(folder, CACHE_FILE), { force: true });
  }

  /** Pictures that are here, from the first that was taken on. */
  get count(): number {
    return this.#count;
  }

  /** Adds the pictures of a batch; false where the disk is full, with nothing of it added. */
  async append({ activations, labels, numbers }: LabelledBatch): Promise<boolean> {
    const { maps, pixelLabels, imageLabels } = this.#shape;
    const parts = [
      [activations.data, sizeOf(maps)],
      [labels.pixelLabels.data, sizeOf(pixelLabels)],
      [labels.imageLabels?.data ?? new Int32Array(0), imageLabels],
    ] as const;
    const buffers = numbers.flatMap((_, i) =>
      parts.map(([data, size]) => data.subarray(i * size, (i + 1) * size)).filter(({ length }) => length > 0),
    );
    const start = this.#count * this.recordBytes;
    try {
      const { bytesWritten } = await this.#file.writev(buffers, start);
      if (bytesWritten !== numbers.length * this.recordBytes) throw new Error('the disk is full');
    } catch {
      await this.#file.truncate(start);
      return false;
    }
    this.#count += numbers.length;
    return true;
  }

  /** Waits until everything is on the disk, so that a state may be saved that counts on it. */
  async sync(): Promise<void> {
    await this.#file.datasync();
  }

  /**
   * The pictures from `start` to before `end`, counted among those that were taken, in arrays of a pool. Throws
   * `bad-file`.
   */
  async read(
    start: number,
    end: number,
    pool: ArrayPool,
  ): Promise<Pick<LabelledBatch, 'activations' | 'labels'>> {
    const { maps, pixelLabels, imageLabels } = this.#shape;
    const n = end - start;
    const activations = { dims: [n, ...maps], data: pool.float32(n * sizeOf(maps)) };
    const ofPixels = { dims: [n, ...pixelLabels], data: pool.int32(n * sizeOf(pixelLabels)) };
    const ofImages = { dims: [n, imageLabels], data: new Int32Array(n * imageLabels) };
    const buffers = Array.from({ length: n }, (_, i) =>
      [activations.data, ofPixels.data, ofImages.data]
        .map((data) => data.subarray((i * data.length) / n, ((i + 1) * data.length) / n))
        .filter(({ length }) => length > 0),
    ).flat();
    const { bytesRead } = await this.#file.readv(buffers, start * this.recordBytes);
    if (bytesRead !== n * this.recordBytes) {
      throw new UnitscopeError('bad-file', `${this.path} is cut short; remove it, and go on by --resume`, {
        subject: this.path,
      });
    }
    return { activations, labels: { pixelLabels: ofPixels, imageLabels: ofImages } };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

function recordBytesOf({ maps, pixelLabels, imageLabels }: BatchShape): number {
  return 4 * (sizeOf(maps) + sizeOf(pixelLabels) + imageLabels);
}
