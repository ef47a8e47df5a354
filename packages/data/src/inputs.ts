import { webcrypto } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  indexOfNonFinite,
  readNpy,
  reasonOf,
  type Tensor,
  type TensorData,
  throwIfAborted,
  toFloat32,
  UnitscopeError,
} from '@unitscope/tensor';
import { collect, type LoadOptions, loadPicture, type PictureRecord, reporting } from './load.js';
import type { RgbPicture, Size } from './picture.js';
import type { Preprocessing } from './preprocessing.js';

/** An input of a network: of a picture, or of an array that is fed as it is. */
export type LoadedInput =
  | {
      readonly kind: 'picture';
      readonly path: string;
      readonly tensor: Tensor;
      readonly rgb: RgbPicture;
      readonly record: PictureRecord;
    }
  | { readonly kind: 'array'; readonly path: string; readonly tensor: Tensor; readonly record: ArrayRecord };

export interface ArrayRecord {
  readonly path: string;
  /** Of the bytes of the file, in hexadecimal. */
  readonly sha256: string;
  readonly dims: readonly number[];
}

/**
 * Loads inputs in the order of `paths`: `*.npy` files as they are (see `loadArray`), everything else as a picture (see
 * `loadPicture`).
 */
export async function loadInputs(
  paths: readonly string[],
  preprocessing: Preprocessing,
  size: Size,
  options: LoadOptions = {},
): Promise<LoadedInput[]> {
  const load = async (path: string, signal: AbortSignal): Promise<LoadedInput> => {
    if (isArrayPath(path)) return loadArray(path, { signal });
    return { kind: 'picture', ...(await loadPicture(path, preprocessing, size, { ...options, signal })) };
  };
  return collect(reporting(paths, load, options));
}

/** Whether `loadInputs` takes the path as an array. */
export function isArrayPath(path: string): boolean {
  return path.toLowerCase().endsWith('.npy');
}

/**
 * An `.npy` file as a float32 tensor [N, C, H, W], or of whatever dims it has, the batch first. Other element types are
 * converted when every value survives.
 *
 * Throws `not-found`, `bad-file` for a file that is no array, `bad-input` for an array without a batch axis, without
 * elements, with NaN or infinity, or with a value float32 cannot hold.
 */
export async function loadArray(
  path: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Extract<LoadedInput, { kind: 'array' }>> {
  throwIfAborted(options.signal);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read array ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  });
  throwIfAborted(options.signal);
  const array = readNpy(bytes, path);
  const bad = (why: string) => new UnitscopeError('bad-input', `${path}: ${why}`, { subject: path });
  if (array.dims.length < 2) {
    throw bad(`dims [${array.dims.join(', ')}] have no batch axis; a network's input is [N, C, H, W]`);
  }
  if (array.data.length === 0) throw bad(`dims [${array.dims.join(', ')}] hold no elements`);
  const converted = toFloat32(array);
  const lost = indexOfLoss(array.data, converted.data);
  if (lost !== -1) {
    throw bad(
      `element ${lost} (${String(array.data[lost])}) is not a float32; save the array with .astype('float32')`,
    );
  }
  const broken = indexOfNonFinite(converted.data);
  if (broken !== -1)
    throw bad(`element ${broken} is ${converted.data[broken]}; every element must be finite`);
  const digest = await webcrypto.subtle.digest('SHA-256', bytes);
  const record = { path, sha256: Buffer.from(digest).toString('hex'), dims: [...array.dims] };
  return { kind: 'array', path, tensor: converted, record };
}

function indexOfLoss(original: TensorData, converted: Float32Array): number {
  if (original instanceof BigInt64Array || original instanceof BigUint64Array) {
    return original.findIndex((value, i) => BigInt(converted[i]!) !== value);
  }
  // Object.is, so that NaN is left to the check that names it.
  return original.findIndex((value: number, i: number) => !Object.is(converted[i]!, value));
}
