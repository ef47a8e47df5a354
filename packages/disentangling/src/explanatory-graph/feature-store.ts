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
  /** Those that could not be used. */
  readonly skipped?: readonly SkippedPicture[];
  /** How far the source has come: what `PictureSource` goes on from. */
  readonly done: number;
}

/** A picture that could not be used. */
export interface SkippedPicture {
  readonly number: number;
  readonly id: string;
  readonly reason: string;
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
  readonly skipped: readonly SkippedPicture[];
}

/** A batch that is done. Its maps are there unless it has no pictures. */
interface WrittenBatch {
  readonly numbers: readonly number[];
  readonly skipped: readonly SkippedPicture[];
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
  const full = [...written.keys()].filter((batch) => written[batch]!.numbers.length > 0);
  if (full.length === 0)
    throw new UnitscopeError('bad-input', 'there are no pictures: a graph is learned of two or more');
  let start = 0;
  const chunks = full.map((batch) => {
    const count = written[batch]!.numbers.length;
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
    skipped: written.flatMap(({ skipped }) => skipped),
    read: (layer, chunk, mirrored) =>
      readMaps(
        join(options.folder, fileOf(layer, full[chunk]!, mirrored)),
        geometries[layer]!,
        chunks[chunk]!.count,
      ),
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
): Promise<readonly WrittenBatch[]> {
  const path = join(folder, CHUNKS_FILE);
  const saved = await readState(path, identity);
  const written = saved === undefined ? [] : batchesOf(saved);
  if (saved?.get('complete').count() === 1) return written;
  const save = (complete: 0 | 1) =>
    writeFileAtomic(
      path,
      encodeState({
        identity,
        complete,
        batches: written.map(({ numbers, skipped, done }) => ({
          done,
          numbers: Float64Array.from(numbers),
          skipped: skipped.map(({ number, id, reason }) => [number, id, reason]),
        })),
      }),
    );
  await mkdir(folder, { recursive: true });
  for await (const batch of pictures(written.at(-1)?.done ?? 0, signal)) {
    throwIfAborted(signal);
    for (const turned of mirrored ? [false, true] : [false]) {
      if (batch.numbers.length === 0) continue;
      const inputs = turned ? mirrorBatch(batch.inputs) : batch.inputs;
      const maps = await model.activations(layers, inputs, signal === undefined ? {} : { signal });
      for (const [i, name] of layers.entries()) {
        const prepared = prepareMaps(maps.get(name)!, geometries[i]!.scale, { quantised });
        await writeFileAtomic(join(folder, fileOf(i, written.length, turned)), writeNpy(prepared));
      }
    }
    written.push({ numbers: batch.numbers, skipped: batch.skipped ?? [], done: batch.done });
    await save(0);
    onProgress?.({ stage: 'maps', done: batch.done });
  }
  await save(1);
  return written;
}

function batchesOf(saved: StateReader): WrittenBatch[] {
  return saved
    .get('batches')
    .list()
    .map((entry) => ({
      numbers: Array.from(entry.get('numbers').array(Float64Array)),
      skipped: entry
        .get('skipped')
        .list()
        .map((item): SkippedPicture => {
          const [number, id, reason] = item.list();
          if (number === undefined || id === undefined || reason === undefined)
            throw item.bad('is incomplete');
          return { number: number.count(), id: id.string(), reason: reason.string() };
        }),
      done: entry.get('done').count(),
    }));
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
