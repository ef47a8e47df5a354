import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { LabelTable } from '@unitscope/data';
import type { MapGeometry } from '@unitscope/metrics';
import {
  readNpy,
  reasonOf,
  sliceBatch,
  type Tensor,
  throwIfAborted,
  UnitscopeError,
} from '@unitscope/tensor';
import type { DissectionSource } from './source.js';

export interface ArrayFiles {
  /** `[N, units, height, width]` float32. */
  readonly activations: string;
  /** `[N, layers, height, width]` int32, 0 for none. */
  readonly pixelLabels: string;
  /** `[N, n]` int32, 0 for none. */
  readonly imageLabels?: string;
}

export interface ArraySourceOptions {
  readonly table: LabelTable;
  /** Of the layer that gave the maps, along both axes. */
  readonly field?: { readonly size: number; readonly stride: number; readonly offset: number };
  /** Of the network that gave the maps; that of the label maps by default. */
  readonly input?: readonly [number, number];
}

const BATCH_SIZE = 16;

/** Activations and labels from `.npy` files, as any framework writes them. */
export async function openArraySource(
  files: ArrayFiles,
  { table, field, input }: ArraySourceOptions,
): Promise<DissectionSource> {
  const hash = createHash('sha256').update(JSON.stringify(table));
  const maps = await readArray(files.activations, Float32Array, 4, hash);
  const pixelLabels = await readArray(files.pixelLabels, Int32Array, 4, hash);
  const imageLabels =
    files.imageLabels === undefined ? undefined : await readArray(files.imageLabels, Int32Array, 2, hash);
  const [count = 0, units = 0, height = 0, width = 0] = maps.dims;
  for (const [path, labels] of [
    [files.pixelLabels, pixelLabels],
    [files.imageLabels, imageLabels],
  ] as const) {
    if (path !== undefined && labels !== undefined && labels.dims[0] !== count) {
      throw new UnitscopeError(
        'bad-input',
        `${path} is of ${labels.dims[0]} pictures, ${files.activations} of ${count}`,
        { subject: path },
      );
    }
  }
  const [, , labelHeight = 0, labelWidth = 0] = pixelLabels.dims;
  const geometry: MapGeometry = {
    cells: [height, width],
    pixels: [labelHeight, labelWidth],
    input: input ?? [labelHeight, labelWidth],
    ...(field === undefined ? {} : { receptiveField: [field, field] }),
  };
  async function* parts(numbers: readonly number[], signal: AbortSignal) {
    for (let start = 0; start < numbers.length; start += BATCH_SIZE) {
      throwIfAborted(signal);
      const [first = 0] = numbers.slice(start);
      const chosen = numbers.slice(start, start + BATCH_SIZE);
      // Pictures of a shard follow one another, so a batch is a view.
      yield {
        numbers: chosen,
        activations: sliceBatch(maps, first, first + chosen.length),
        labels: {
          pixelLabels: sliceBatch(pixelLabels, first, first + chosen.length),
          ...(imageLabels === undefined
            ? {}
            : { imageLabels: sliceBatch(imageLabels, first, first + chosen.length) }),
        },
        skipped: [],
      };
    }
  }
  return {
    record: {
      data: { format: 'arrays', sha256: hash.digest('hex'), pictures: count },
      input: geometry.input,
      ...(field === undefined ? {} : { receptiveField: { ...field } }),
    },
    units,
    count,
    geometry,
    table,
    activations: parts,
    labelled: parts,
    close: () => Promise.resolve(),
  };
}

async function readArray<D extends Float32Array | Int32Array>(
  path: string,
  type: new (length: number) => D,
  axes: number,
  hash: ReturnType<typeof createHash>,
): Promise<Tensor<D>> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read array ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  });
  hash.update(bytes);
  const { dims, data } = readNpy(bytes, path);
  const bad = (why: string) => new UnitscopeError('bad-input', `${path} ${why}`, { subject: path });
  const wanted = type.name === 'Float32Array' ? 'float32' : 'int32';
  if (!(data instanceof type)) throw bad(`must be ${wanted}; save it with .astype('${wanted}')`);
  if (dims.length !== axes) throw bad(`must have ${axes} axes, its dims are [${dims.join(', ')}]`);
  if (data.length === 0) throw bad(`holds no elements, its dims are [${dims.join(', ')}]`);
  return { dims, data };
}
