import {
  ArrayPool,
  type DataSet,
  type Preprocessing,
  type SkippedExample,
  streamExamples,
  streamObjects,
} from '@unitscope/data';
import type { PictureSource } from '@unitscope/disentangling';
import { concatBatch, sliceBatch, type Tensor, UnitscopeError } from '@unitscope/tensor';
import { readAhead } from '../passes/read-ahead.js';

/** Pictures as graphs are learned from them and measured on: objects cut out by their boxes, or whole pictures. */
export interface GraphPictures {
  readonly dataSet: DataSet;
  readonly preprocessing: Preprocessing;
  readonly size: { readonly height: number; readonly width: number };
  readonly batchSize: number;
  readonly onError: 'stop' | 'skip';
  /** Whether objects are cut out. Then landmarks are known. */
  readonly objects: boolean;
  /** Only objects of this category. */
  readonly category: string | undefined;
  /** Only the first pictures of the data set. */
  readonly limit: number | undefined;
}

export interface GraphBatch {
  readonly inputs: Tensor;
  /** What each picture is called; of an object, as `ObjectBatch.objectNumbers`. */
  readonly numbers: readonly number[];
  /** `[n, landmarks, 2]`, NaN where one is not seen; without objects there are none. */
  readonly landmarks: Tensor<Float64Array>;
  readonly skipped: readonly SkippedExample[];
  /** Pictures of the data set that are done. */
  readonly done: number;
}

const OBJECTS_OF_A_PICTURE = 4096;

/** How many pictures of the data set are read. */
export function countOf({ dataSet, limit }: GraphPictures): number {
  return Math.min(limit ?? Number.POSITIVE_INFINITY, dataSet.examples.length);
}

/** Throws `wrong-use` for a category that cannot be chosen, `bad-input` for a data set without pictures. */
export function requirePictures({ dataSet, objects, category }: GraphPictures): void {
  if (dataSet.examples.length === 0)
    throw new UnitscopeError('bad-input', `${dataSet.path} has no pictures`, { subject: dataSet.path });
  if (category === undefined) return;
  if (!objects)
    throw new UnitscopeError(
      'wrong-use',
      `--category chooses objects; ${dataSet.path} has none with landmarks`,
    );
  if (!dataSet.objectCategories.includes(category)) {
    throw new UnitscopeError(
      'not-found',
      `${dataSet.path} has no category "${category}"; there are: ${dataSet.objectCategories.slice(0, 12).join(', ')}`,
      { subject: category, alternatives: dataSet.objectCategories },
    );
  }
}

/** The pictures in order, from the one number `done` of the data set on; or those of these numbers. */
export async function* streamPictures(
  pictures: GraphPictures,
  done: number,
  signal: AbortSignal | undefined,
  wanted?: ReadonlySet<number>,
): AsyncGenerator<GraphBatch, void, undefined> {
  const { dataSet, preprocessing, size, batchSize, onError, objects, category } = pictures;
  const all = Array.from({ length: countOf(pictures) - done }, (_, i) => done + i);
  const numbers =
    wanted === undefined
      ? all
      : [
          ...new Set(
            [...wanted].map((number) => (objects ? Math.floor(number / OBJECTS_OF_A_PICTURE) : number)),
          ),
        ].sort((a, b) => a - b);
  const options = { preprocessing, size, numbers, batchSize, onError, signal };
  let after = done;
  if (!objects) {
    const pool = new ArrayPool();
    for await (const batch of readAhead(streamExamples(dataSet, { ...options, pool }))) {
      after += batch.numbers.length + batch.skipped.length;
      yield {
        ...batch,
        landmarks: { dims: [batch.numbers.length, 0, 2], data: new Float64Array(0) },
        done: after,
      };
      pool.give(batch.inputs.data);
    }
    return;
  }
  for await (const batch of readAhead(streamObjects(dataSet, options))) {
    after += batch.numbers.length + batch.skipped.length;
    const kept = [...batch.objectNumbers.keys()].filter(
      (i) =>
        (category === undefined || dataSet.objectCategories[batch.categories[i]!] === category) &&
        (wanted === undefined || wanted.has(batch.objectNumbers[i]!)),
    );
    const select = (tensor: Tensor) =>
      kept.length === 0
        ? sliceBatch(tensor, 0, 0)
        : concatBatch(kept.map((i) => sliceBatch(tensor, i, i + 1)));
    const marks = dataSet.landmarkNames.length;
    const landmarks = kept.flatMap((i) => Array.from(sliceBatch(batch.landmarks, i, i + 1).data));
    yield {
      inputs: select(batch.inputs),
      numbers: kept.map((i) => batch.objectNumbers[i]!),
      landmarks: { dims: [kept.length, marks, 2], data: Float64Array.from(landmarks) },
      skipped: batch.skipped,
      done: after,
    };
  }
}

/** As `prepareFeatures` takes them. */
export function sourceOf(pictures: GraphPictures): PictureSource {
  return (done, signal) => streamPictures(pictures, done, signal);
}
