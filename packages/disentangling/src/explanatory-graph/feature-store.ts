import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeState, encodeState, type StateReader } from '@unitscope/metrics';
import type { Layer, Model } from '@unitscope/model';
import {
  readNpy,
  reasonOf,
  type Tensor,
  throwIfAborted,
  UnitscopeError,
  writeFileAtomic,
  writeNpy,
} from '@unitscope/tensor';
import type { FeatureLayer, Features } from './features.js';
import type { MapGeometry } from './graph.js';
import { mirrorBatch, PlaceDeviations, prepareMaps } from './maps.js';

/** Some pictures of a source. */
export interface PictureBatch {
  /** `[n, channels, height, width]` as the network takes them; n may be 0. */
  readonly inputs: Tensor;
  /** What the pictures are called in their data set, one number for each. */
  readonly numbers: readonly number[];
  /** How far the source has come: what `PictureSource` goes on from. */
  readonly done: number;
}

/** Pictures in a fixed order, from where it was left on; 0 is the beginning. */
export type PictureSource = (done: number, signal: AbortSignal | undefined) => AsyncIterable<PictureBatch>;

export interface PrepareProgress {
  /** `scale`: the deviations of places are measured; `maps`: the maps are written. */
  readonly stage: 'scale' | 'maps';
  readonly done: number;
}

export interface PrepareOptions {
  /** The folder that the maps are written to, and how far it has come. */
  readonly folder: string;
  /** What the maps are of; a folder of others is refused. */
  readonly identity: string;
  /** Names of the network's layers, from the top down. */
  readonly layers: readonly string[];
  readonly pictures: PictureSource;
  /** The pictures whose deviations maps are divided by; those that the graph is learned from by default. */
  readonly negatives?: PictureSource;
  /** Whether mirror images are run as well. */
  readonly mirrored: boolean;
  readonly quantised: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: PrepareProgress) => void;
}

/** Features on the disk, and what their pictures are called. */
export interface StoredFeatures extends Features {
  readonly numbers: readonly number[];
}

interface WrittenChunk {
  readonly numbers: readonly number[];
  readonly done: number;
}

const SCALE_FILE = 'scale.npz';
const CHUNKS_FILE = 'chunks.npz';
const SAVE_EVERY_MS = 5000;

/**
 * The prepared maps of layers over pictures, written to a folder a batch at a time: memory does not grow with the
 * pictures. First the deviation of every place over the negatives, then the maps of the pictures and, where asked for, of
 * their mirror images, which are run through the network as pictures of their own. What was done before an error, an abort
 * or a kill is kept, and gone on with.
 *
 * Throws `unsupported` for a layer that gives no maps of a known size and place, `wrong-use` for a folder of other
 * features, `bad-file` for a damaged one, `bad-input` without pictures, and what the model and the sources throw.
 */
export async function prepareFeatures(model: Model, options: PrepareOptions): Promise<StoredFeatures> {
  const geometries = options.layers.map((name) => geometryOf(model.layer(name)));
  if (geometries.length === 0) throw new UnitscopeError('wrong-use', 'no layer is named; name at least one');
  const twice = geometries.find(({ name }, i) => geometries.findIndex((other) => other.name === name) < i);
  if (twice !== undefined)
    throw new UnitscopeError('wrong-use', `layer ${twice.name} is named twice`, { subject: twice.name });
  const scales = await measureScales(model, geometries, options);
  const layers = geometries.map((geometry, i): FeatureLayer => ({ ...geometry, scale: scales[i]! }));
  const written = await writeMaps(model, layers, options);
  const counts = written.map(({ numbers }) => numbers.length);
  if (counts.length === 0)
    throw new UnitscopeError('bad-input', 'there are no pictures: a graph is learned of two or more');
  let start = 0;
  const chunks = counts.map((count) => {
    start += count;
    return { start: start - count, count };
  });
  const [, , height, width] = model.input.dims ?? [];
  return {
    input: [Number(height), Number(width)],
    layers,
    pictures: start,
    chunks,
    mirrored: options.mirrored,
    numbers: written.flatMap(({ numbers }) => numbers),
    read: (layer, chunk, mirrored) =>
      readMaps(join(options.folder, fileOf(layer, chunk, mirrored)), geometries[layer]!, counts[chunk]!),
  };
}

/** Removes what `prepareFeatures` wrote. */
export async function removeFeatures(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Where a layer's maps lie in the picture. Throws `unsupported` for one that gives none of a fixed size and place. */
export function geometryOf({ name, dims, receptiveField }: Layer): MapGeometry {
  const [, filters, height, width] = dims ?? [];
  if (
    receptiveField === undefined ||
    typeof filters !== 'number' ||
    typeof height !== 'number' ||
    typeof width !== 'number'
  ) {
    throw new UnitscopeError(
      'unsupported',
      `layer ${name} gives no maps of a fixed size whose units have a place in the picture; choose a convolution`,
      { subject: name },
    );
  }
  return { name, filters, height, width, stride: receptiveField.stride, centre: receptiveField.centre };
}

async function measureScales(
  model: Model,
  geometries: readonly MapGeometry[],
  { folder, identity, layers, pictures, negatives = pictures, signal, onProgress }: PrepareOptions,
): Promise<readonly Tensor[]> {
  const path = join(folder, SCALE_FILE);
  const all = geometries.map(({ filters, height, width }) => new PlaceDeviations([filters, height, width]));
  const saved = await readState(path, identity);
  let done = 0;
  if (saved !== undefined) {
    done = saved.get('done').count();
    saved
      .get('layers')
      .list()
      .forEach((entry, i) => {
        const own = all[i];
        if (own === undefined) throw entry.bad('is of a layer that is not there');
        own.count = entry.get('count').count();
        own.mean.set(entry.get('mean').array(Float64Array, own.mean.length));
        own.squares.set(entry.get('squares').array(Float64Array, own.squares.length));
      });
    if (saved.get('complete').count() === 1) return all.map((each) => each.scale());
  }
  let savedAt = performance.now();
  const save = (complete: 0 | 1) => {
    const state = all.map(({ count, mean, squares }) => ({ count, mean, squares }));
    return writeFileAtomic(path, encodeState({ identity, done, complete, layers: state }));
  };
  for await (const batch of negatives(done, signal)) {
    throwIfAborted(signal);
    if (batch.numbers.length > 0) {
      const maps = await model.activations(layers, batch.inputs, signal === undefined ? {} : { signal });
      for (const [i, name] of layers.entries()) all[i]!.add(maps.get(name)!);
    }
    done = batch.done;
    onProgress?.({ stage: 'scale', done });
    if (performance.now() - savedAt < SAVE_EVERY_MS) continue;
    await save(0);
    savedAt = performance.now();
  }
  await save(1);
  return all.map((each) => each.scale());
}

async function writeMaps(
  model: Model,
  geometries: readonly FeatureLayer[],
  { folder, identity, layers, pictures, mirrored, quantised, signal, onProgress }: PrepareOptions,
): Promise<readonly WrittenChunk[]> {
  const path = join(folder, CHUNKS_FILE);
  const saved = await readState(path, identity);
  const chunks = saved === undefined ? [] : chunksOf(saved);
  if (saved?.get('complete').count() === 1) return chunks;
  const save = (complete: 0 | 1) =>
    writeFileAtomic(
      path,
      encodeState({
        identity,
        complete,
        chunks: chunks.map(({ numbers, done }) => ({ done, numbers: Float64Array.from(numbers) })),
      }),
    );
  await mkdir(folder, { recursive: true });
  for await (const batch of pictures(chunks.at(-1)?.done ?? 0, signal)) {
    throwIfAborted(signal);
    if (batch.numbers.length > 0) {
      for (const turned of mirrored ? [false, true] : [false]) {
        const inputs = turned ? mirrorBatch(batch.inputs) : batch.inputs;
        const maps = await model.activations(layers, inputs, signal === undefined ? {} : { signal });
        for (const [i, name] of layers.entries()) {
          const prepared = prepareMaps(maps.get(name)!, geometries[i]!.scale, { quantised });
          await writeFileAtomic(join(folder, fileOf(i, chunks.length, turned)), writeNpy(prepared));
        }
      }
      chunks.push({ numbers: batch.numbers, done: batch.done });
      await save(0);
    }
    onProgress?.({ stage: 'maps', done: batch.done });
  }
  await save(1);
  return chunks;
}

function chunksOf(saved: StateReader): WrittenChunk[] {
  return saved
    .get('chunks')
    .list()
    .map((entry) => {
      const numbers = Array.from(entry.get('numbers').array(Float64Array));
      if (numbers.length === 0) throw entry.bad('has no pictures');
      return { numbers, done: entry.get('done').count() };
    });
}

function fileOf(layer: number, chunk: number, mirrored: boolean): string {
  return `layer${layer}-chunk${chunk}${mirrored ? '-mirrored' : ''}.npy`;
}

async function readMaps(
  path: string,
  { filters, height, width }: MapGeometry,
  count: number,
): Promise<Tensor> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new UnitscopeError(
      'bad-file',
      `cannot read maps ${path}: ${reasonOf(cause)}; prepare the features anew`,
      {
        subject: path,
        cause,
      },
    );
  });
  const { dims, data } = readNpy(bytes, path);
  if (!(data instanceof Float32Array) || dims.join() !== [count, filters, height, width].join())
    throw new UnitscopeError('bad-file', `${path} holds other maps; prepare the features anew`, {
      subject: path,
    });
  return { dims, data };
}

async function readState(path: string, identity: string): Promise<StateReader | undefined> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new UnitscopeError('bad-file', `cannot read ${path}: ${reasonOf(cause)}`, { subject: path, cause });
  });
  if (bytes === undefined) return undefined;
  const state = decodeState(bytes, path);
  if (state.get('identity').string() === identity) return state;
  throw new UnitscopeError(
    'wrong-use',
    `${path} belongs to another run; choose another folder, or run it with the options of before`,
    { subject: path },
  );
}
