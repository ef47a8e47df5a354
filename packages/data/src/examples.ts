import { type Tensor, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import type { Annotation, DataSet, LabelTable } from './data-set.js';
import { decodePixels } from './decode.js';
import { fitPicture, shownRegion } from './fit.js';
import { fitLabels, isReduced } from './fit-labels.js';
import { inOrder } from './load.js';
import { normaliseInto } from './normalise.js';
import type { RgbPicture, Size } from './picture.js';
import type { Preprocessing } from './preprocessing.js';

export interface ExampleOptions {
  readonly preprocessing: Preprocessing;
  /** Of the network's input. */
  readonly size: Size;
  /** Of the label maps; left out, none are read. */
  readonly labelSize?: Size;
  /** Numbers of the examples, in the order they are wanted; all by default. */
  readonly numbers?: readonly number[];
  readonly batchSize: number;
  /** How many pictures are decoded, or wait to be fetched, at a time. Default 4. */
  readonly concurrency?: number;
  /** What a picture or annotation that cannot be used does: end it all (the default), or be left out and reported. */
  readonly onError?: 'stop' | 'skip';
  readonly signal?: AbortSignal | undefined;
}

/** An example that could not be used. */
export interface SkippedExample {
  readonly number: number;
  readonly id: string;
  readonly reason: string;
}

/** Examples as a network and the metrics take them. */
export interface ExampleBatch {
  /** Numbers in the data set of the examples that are here. */
  readonly numbers: readonly number[];
  /** `[n, 3, height, width]` */
  readonly inputs: Tensor;
  /** `[n, pixel layers, label height, label width]`; no layers where none were asked for. */
  readonly pixelLabels: Tensor<Int32Array>;
  /** `[n, image layers]` */
  readonly imageLabels: Tensor<Int32Array>;
  /** Exactly the pixels of `inputs`, before normalisation. */
  readonly pictures: readonly RgbPicture[];
  /** Those of this batch that could not be used. */
  readonly skipped: readonly SkippedExample[];
}

interface Loaded {
  readonly number: number;
  readonly picture: RgbPicture;
  readonly pixelLabels: Int32Array;
  readonly imageLabels: readonly number[];
}

/**
 * The examples of a data set in batches, decoded a few at a time: memory does not grow with their number. Throws
 * `aborted`; with `onError: 'stop'` the first error, naming the file.
 */
export async function* streamExamples(
  dataSet: DataSet,
  options: ExampleOptions,
): AsyncGenerator<ExampleBatch, void, undefined> {
  const load = (number: number, signal: AbortSignal) => loadExample(dataSet, number, { ...options, signal });
  for await (const batch of streamBatches(dataSet, options, load))
    yield collate(batch, dataSet.table, options);
}

/** What `load` makes of the examples, or why it cannot, `batchSize` at a time. */
export async function* streamBatches<T extends object>(
  dataSet: DataSet,
  options: Pick<ExampleOptions, 'batchSize' | 'numbers' | 'concurrency' | 'onError' | 'signal'>,
  load: (number: number, signal: AbortSignal) => Promise<T>,
): AsyncGenerator<(T | SkippedExample)[], void, undefined> {
  const { batchSize, numbers = dataSet.examples.map((_, number) => number), signal } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new UnitscopeError('wrong-use', `batchSize must be a positive integer, it is ${batchSize}`);
  const attempt = async (number: number, either: AbortSignal): Promise<T | SkippedExample> => {
    try {
      return await load(number, either);
    } catch (cause) {
      const isAbort = cause instanceof UnitscopeError && cause.code === 'aborted';
      if (options.onError !== 'skip' || isAbort || !(cause instanceof UnitscopeError)) throw cause;
      return { number, id: dataSet.examples[number]!.id, reason: cause.message };
    }
  };
  let batch: (T | SkippedExample)[] = [];
  const { concurrency } = options;
  for await (const loaded of inOrder(numbers, attempt, {
    signal,
    ...(concurrency === undefined ? {} : { concurrency }),
  })) {
    batch.push(loaded);
    if (batch.length < batchSize) continue;
    yield batch;
    batch = [];
    throwIfAborted(signal);
  }
  if (batch.length > 0) yield batch;
}

async function loadExample(
  { examples, table }: DataSet,
  number: number,
  { preprocessing, size, labelSize, signal }: ExampleOptions,
): Promise<Loaded> {
  const example = examples[number];
  if (example === undefined)
    throw new UnitscopeError('wrong-use', `there is no example ${number}; there are ${examples.length}`);
  const [rgb, annotation] = await Promise.all([
    decodePixels(example.path, { signal }),
    labelSize === undefined ? undefined : example.annotate(),
  ]);
  const picture = await fitPicture(rgb, preprocessing, size, { signal });
  const pixelLabels =
    annotation === undefined || labelSize === undefined
      ? new Int32Array(0)
      : labelsOf(annotation, example.path, rgb, shownRegion(rgb, preprocessing, size), labelSize);
  const imageLabels = annotation?.imageLabels ?? table.imageLayers.map(() => 0);
  return { number, picture, pixelLabels, imageLabels };
}

function labelsOf(
  { pixelLabels }: Annotation,
  path: string,
  picture: Size,
  region: ReturnType<typeof shownRegion>,
  size: Size,
): Int32Array {
  const plane = size.height * size.width;
  const labels = new Int32Array(pixelLabels.length * plane);
  pixelLabels.forEach((map, layer) => {
    if (map === undefined) return;
    if (!isReduced(map, picture)) {
      throw new UnitscopeError(
        'bad-file',
        `the mask of ${path} is ${map.width}x${map.height}, the picture ${picture.width}x${picture.height}; ` +
          'they must be of one size, or the mask smaller by a whole factor',
        { subject: path },
      );
    }
    fitLabels(map, picture, region, size, labels.subarray(layer * plane, (layer + 1) * plane));
  });
  return labels;
}

function collate(
  batch: readonly (Loaded | SkippedExample)[],
  { pixelLayers, imageLayers }: LabelTable,
  { preprocessing, size, labelSize }: ExampleOptions,
): ExampleBatch {
  const loaded = batch.filter((item): item is Loaded => 'picture' in item);
  const layers = labelSize === undefined ? 0 : pixelLayers.length;
  const { height, width } = labelSize ?? size;
  const plane = 3 * size.height * size.width;
  const inputs = new Float32Array(loaded.length * plane);
  const pixelLabels = new Int32Array(loaded.length * layers * height * width);
  loaded.forEach(({ picture, pixelLabels: labels }, i) => {
    normaliseInto(picture, preprocessing, inputs.subarray(i * plane, (i + 1) * plane));
    pixelLabels.set(labels, i * layers * height * width);
  });
  return {
    numbers: loaded.map(({ number }) => number),
    inputs: { dims: [loaded.length, 3, size.height, size.width], data: inputs },
    pixelLabels: { dims: [loaded.length, layers, height, width], data: pixelLabels },
    imageLabels: {
      dims: [loaded.length, imageLayers.length],
      data: Int32Array.from(loaded.flatMap(({ imageLabels }) => imageLabels)),
    },
    pictures: loaded.map(({ picture }) => picture),
    skipped: batch.filter((item): item is SkippedExample => !('picture' in item)),
  };
}
