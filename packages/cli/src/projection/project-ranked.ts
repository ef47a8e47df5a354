import { ArrayPool, type RgbPicture, restorePicture, streamExamples } from '@unitscope/data';
import { concatBatch, sliceBatch, type Tensor, throwIfAborted } from '@unitscope/tensor';
import { type Method, type Projection, projectUnits } from '@unitscope/visualization';
import { inputSizeOf } from '../layer-maps.js';
import { readAhead } from '../passes/read-ahead.js';
import type { Ranking } from './rank-pictures.js';
import type { RankedUnit } from './units.js';

/** One of the strongest pictures of a unit, with its activation carried back to the pixels. */
export interface ProjectedTop extends Projection {
  /** The picture's number in the data set. */
  readonly number: number;
  /** The whole picture as the network saw it. */
  readonly picture: RgbPicture;
}

/** A unit with the projections of its strongest pictures. */
export interface ProjectedRanked {
  readonly unit: number;
  /** From the strongest down. */
  readonly pictures: readonly ProjectedTop[];
}

export interface ProjectRankedOptions {
  readonly method: Method;
  readonly signal: AbortSignal;
  /** Of the pictures of all units, each counted once a unit. */
  readonly onProgress: (done: number) => void;
}

// A backward pass holds many maps of every picture.
const DEFAULT_BATCH_SIZE = 8;

/**
 * Projects the strongest pictures of units. A picture that is strongest for several is read once. Notes are what a
 * reader should know of the method on this network.
 */
export async function projectRanked(
  { model, layer, dataSet, preprocessing, batchSize = DEFAULT_BATCH_SIZE }: Ranking,
  units: readonly RankedUnit[],
  { method, signal, onProgress }: ProjectRankedOptions,
): Promise<{ readonly units: readonly ProjectedRanked[]; readonly notes: readonly string[] }> {
  const wanted = units.flatMap(({ unit, pictures }, row) =>
    pictures.map(({ picture }, place) => ({ unit, row, place, number: picture })),
  );
  const numbers = [...new Set(wanted.map(({ number }) => number))].sort((a, b) => a - b);
  const rows = units.map(({ pictures }) => new Array<ProjectedTop>(pictures.length));
  const notes = new Set<string>();
  const pool = new ArrayPool();
  const size = inputSizeOf(model);
  let done = 0;
  const examples = streamExamples(dataSet, { preprocessing, size, numbers, batchSize, signal, pool });
  for await (const batch of readAhead(examples)) {
    const pairs = wanted.flatMap((pair) => {
      const i = batch.numbers.indexOf(pair.number);
      return i === -1 ? [] : [{ ...pair, i }];
    });
    const shown = batch.numbers.map((_, i) =>
      restorePicture(sliceBatch(batch.inputs, i, i + 1), preprocessing),
    );
    for (let start = 0; start < pairs.length; start += batchSize) {
      throwIfAborted(signal);
      const part = pairs.slice(start, start + batchSize);
      const inputs: Tensor = concatBatch(part.map(({ i }) => sliceBatch(batch.inputs, i, i + 1)));
      const targets = part.map(({ unit }) => unit);
      const result = await projectUnits(model, layer.name, inputs, targets, {
        composite: method.composite,
        signal,
      });
      for (const note of result.notes) notes.add(note);
      for (const [n, { row, place, number, i }] of part.entries())
        rows[row]![place] = { ...result.projections[n]!, number, picture: shown[i]! };
      done += part.length;
      onProgress(done);
    }
    pool.give(batch.inputs.data);
  }
  return { units: units.map(({ unit }, row) => ({ unit, pictures: rows[row]! })), notes: [...notes] };
}
