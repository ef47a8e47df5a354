import { createHash } from 'node:crypto';
import {
  decodePicture,
  fitPicture,
  normaliseInto,
  type Preprocessing,
  type RgbPicture,
  type Size,
} from '@unitscope/data';
import { throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import { PURPOSES, seedFor, shuffled } from './seeds.js';

/** Samples with a category each, read as they are asked for. */
export interface Samples {
  readonly categories: readonly string[];
  /** The category of each sample, by its number. */
  readonly labels: readonly number[];
  /** Of one sample: [C, H, W]. */
  readonly dims: readonly [number, number, number];
  /** What they are and how they are read, in hexadecimal: what a checkpoint belongs to. */
  readonly sha256: string;
  /** Writes one sample to `into`. */
  read(index: number, into: Float32Array, signal?: AbortSignal): Promise<void>;
}

export interface LabelledPicture {
  readonly path: string;
  /** What it is called in a hash: the same on every machine. The path by default. */
  readonly id?: string;
  readonly category: number;
}

export interface PictureSamplesOptions {
  readonly categories: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly size: Size;
  /** How much memory decoded pictures may take, in bytes; the others are decoded anew each time. 2^30 by default. */
  readonly memory?: number;
}

/**
 * Pictures as samples: decoded, fitted and normalised as `loadPicture` of @unitscope/data does. Pictures that have been
 * decoded are kept, fitted to the size, as far as the memory goes.
 *
 * Throws `bad-input` for no pictures, a category without pictures and a category that does not exist; reading throws the
 * errors of `decodePicture`, naming the file.
 */
export function pictureSamples(
  pictures: readonly LabelledPicture[],
  options: PictureSamplesOptions,
): Samples {
  const { categories, preprocessing, size, memory = 2 ** 30 } = options;
  const labels = pictures.map(({ category }) => category);
  requireCategories(categories, labels);
  const { height, width } = size;
  const bytes = 3 * height * width;
  const kept = new Map<number, RgbPicture>();
  const hash = createHash('sha256').update(JSON.stringify([categories, preprocessing, height, width]));
  for (const { path, id = path, category } of pictures) hash.update(JSON.stringify([id, category]));
  return {
    categories,
    labels,
    dims: [3, height, width],
    sha256: hash.digest('hex'),
    read: async (index, into, signal) => {
      const { path } = pictures[index]!;
      throwIfAborted(signal);
      const known = kept.get(index);
      const fitted =
        known ??
        (await fitPicture((await decodePicture(path, { signal })).rgb, preprocessing, size, { signal }));
      if (known === undefined && (kept.size + 1) * bytes <= memory) kept.set(index, fitted);
      normaliseInto(fitted, preprocessing, into);
    },
  };
}

/** Arrays in memory as samples, [C, H, W] each, one after the other. Throws as `pictureSamples`. */
export function arraySamples(
  data: Float32Array,
  dims: readonly [number, number, number],
  labels: readonly number[],
  categories: readonly string[],
): Samples {
  requireCategories(categories, labels);
  const size = dims[0] * dims[1] * dims[2];
  if (data.length !== size * labels.length) {
    throw new UnitscopeError(
      'bad-input',
      `${labels.length} samples of [${dims.join(', ')}] need ${size * labels.length} elements, there are ${data.length}`,
    );
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const hash = createHash('sha256')
    .update(JSON.stringify([categories, dims, labels]))
    .update(bytes);
  return {
    ...{ categories, labels, dims },
    sha256: hash.digest('hex'),
    read: async (index, into) => into.set(data.subarray(index * size, (index + 1) * size)),
  };
}

/** Some of the samples, in the order given; every category must still have one unless `partial`. */
export function chooseSamples(
  samples: Samples,
  indices: readonly number[],
  { partial = false }: { readonly partial?: boolean } = {},
): Samples {
  const labels = indices.map((index) => {
    const label = samples.labels[index];
    if (label !== undefined) return label;
    throw new UnitscopeError('wrong-use', `there is no sample ${index} of ${samples.labels.length}`);
  });
  if (!partial) requireCategories(samples.categories, labels);
  return {
    categories: samples.categories,
    labels,
    dims: samples.dims,
    sha256: createHash('sha256')
      .update(JSON.stringify([samples.sha256, indices]))
      .digest('hex'),
    read: (index, into, signal) => samples.read(indices[index]!, into, signal),
  };
}

function requireCategories(categories: readonly string[], labels: readonly number[]): void {
  if (labels.length === 0) throw new UnitscopeError('bad-input', 'there are no samples to train on');
  const counts = categories.map(() => 0);
  for (const label of labels) {
    if (counts[label] === undefined) {
      throw new UnitscopeError(
        'bad-input',
        `no category ${label}; there are ${categories.length}, counted from 0`,
      );
    }
    counts[label]++;
  }
  const missing = categories.filter((_, category) => counts[category] === 0);
  if (missing.length > 0) {
    throw new UnitscopeError(
      'bad-input',
      `no samples of the ${missing.length === 1 ? 'category' : 'categories'} ${missing.join(', ')}; add some, or leave it out`,
      { subject: missing[0]! },
    );
  }
}

/**
 * Splits samples in two by a seed, each category in the same share, for training and validation.
 *
 * @param share of the second part, above 0 and below 1
 *
 * Throws `bad-input` for a category with too few samples to have some in both parts.
 */
export function splitSamples(samples: Samples, share: number, seed: number): readonly [Samples, Samples] {
  const [first, second]: [number[], number[]] = [[], []];
  for (const [category, name] of samples.categories.entries()) {
    const own = [...samples.labels.keys()].filter((index) => samples.labels[index] === category);
    const count = Math.max(1, Math.round(own.length * share));
    if (count >= own.length) {
      throw new UnitscopeError(
        'bad-input',
        `${name} has ${own.length} ${own.length === 1 ? 'sample' : 'samples'}, too few to train on some and judge by others`,
        { subject: name },
      );
    }
    const order = shuffled(own.length, seedFor(seed, PURPOSES.split, category), 0);
    for (const [place, at] of order.entries()) (place < count ? second : first).push(own[at]!);
  }
  const sorted = (list: number[]) => list.sort((a, b) => a - b);
  return [chooseSamples(samples, sorted(first)), chooseSamples(samples, sorted(second))];
}
