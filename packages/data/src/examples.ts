import { sizeOf, type Tensor, throwIfAborted, UnitscopeError } from '@unitscope/tensor';
import type { ArrayPool } from './array-pool.js';
import type { Annotation, DataSet } from './data-set.js';
import { decodePixels } from './decode.js';
import { fitNormalised, shownRegion } from './fit.js';
import { fitLabels, isReduced } from './fit-labels.js';
import { inOrder } from './load.js';
import type { Box, Size } from './picture.js';
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
  /**
   * Where the arrays of inputs and pixel labels are taken from; whoever is done with a batch gives them back. New ones by
   * default.
   */
  readonly pool?: ArrayPool;
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
  /** `[n, 3, height, width]`; `restorePicture` shows one. */
  readonly inputs: Tensor;
  /** `[n, pixel layers, label height, label width]`; no layers where none were asked for. */
  readonly pixelLabels: Tensor<Int32Array>;
  /** `[n, image layers]` */
  readonly imageLabels: Tensor<Int32Array>;
  /** Those of this batch that could not be used. */
  readonly skipped: readonly SkippedExample[];
}

interface Loaded {
  readonly number: number;
  readonly imageLabels: readonly number[];
}

/** The arrays of a batch, or of one example in it. */
interface Arrays {
  readonly inputs: Float32Array;
  readonly pixelLabels: Int32Array;
}

/**
 * The examples of a data set in batches, decoded a few at a time: memory does not grow with their number. Throws
 * `aborted`; with `onError: 'stop'` the first error, naming the file.
 */
export async function* streamExamples(
  dataSet: DataSet,
  options: ExampleOptions,
): AsyncGenerator<ExampleBatch, void, undefined> {
  const { batchSize, pool, numbers = dataSet.examples.map((_, number) => number) } = options;
  const shape = shapeOf(dataSet, options);
  // Batches whose first examples are loaded: every example goes straight to its place in them.
  const begun = new Map<number, Arrays>();
  const arraysOf = (batch: number): Arrays => {
    const known = begun.get(batch);
    if (known !== undefined) return known;
    const n = Math.min(batchSize, numbers.length - batch * batchSize);
    const made = {
      inputs: pool?.float32(n * shape.input) ?? new Float32Array(n * shape.input),
      pixelLabels: pool?.int32(n * shape.labels) ?? new Int32Array(n * shape.labels),
    };
    begun.set(batch, made);
    return made;
  };
  const load = (number: number, signal: AbortSignal, place: number) => {
    const i = place % batchSize;
    const { inputs, pixelLabels } = arraysOf(Math.floor(place / batchSize));
    const into = {
      inputs: inputs.subarray(i * shape.input, (i + 1) * shape.input),
      pixelLabels: pixelLabels.subarray(i * shape.labels, (i + 1) * shape.labels),
    };
    return loadExample(dataSet, number, into, { ...options, signal });
  };
  let batch = 0;
  for await (const items of streamBatches(dataSet, options, load)) {
    const arrays = arraysOf(batch);
    begun.delete(batch++);
    yield collate(items, arrays, shape);
  }
}

/** What one example takes. */
interface ExampleShape {
  readonly inputDims: readonly number[];
  readonly labelDims: readonly number[];
  readonly input: number;
  readonly labels: number;
  readonly imageLabels: number;
}

function shapeOf({ table }: DataSet, { size, labelSize }: ExampleOptions): ExampleShape {
  const inputDims = [3, size.height, size.width];
  const { height, width } = labelSize ?? size;
  const labelDims = [labelSize === undefined ? 0 : table.pixelLayers.length, height, width];
  const imageLabels = table.imageLayers.length;
  return { inputDims, labelDims, input: sizeOf(inputDims), labels: sizeOf(labelDims), imageLabels };
}

/** What `load` makes of the examples, given their places among the wanted ones, or why it cannot, `batchSize` at a time. */
export async function* streamBatches<T extends object>(
  dataSet: DataSet,
  options: Pick<ExampleOptions, 'batchSize' | 'numbers' | 'concurrency' | 'onError' | 'signal'>,
  load: (number: number, signal: AbortSignal, place: number) => Promise<T>,
): AsyncGenerator<(T | SkippedExample)[], void, undefined> {
  const { batchSize, numbers = dataSet.examples.map((_, number) => number), signal } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new UnitscopeError('wrong-use', `batchSize must be a positive integer, it is ${batchSize}`);
  const attempt = async (place: number, either: AbortSignal): Promise<T | SkippedExample> => {
    const number = numbers[place]!;
    try {
      return await load(number, either, place);
    } catch (cause) {
      const isAbort = cause instanceof UnitscopeError && cause.code === 'aborted';
      if (options.onError !== 'skip' || isAbort || !(cause instanceof UnitscopeError)) throw cause;
      return { number, id: dataSet.examples[number]!.id, reason: cause.message };
    }
  };
  let batch: (T | SkippedExample)[] = [];
  const { concurrency } = options;
  for await (const loaded of inOrder([...numbers.keys()], attempt, {
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
  into: Arrays,
  { preprocessing, size, labelSize, signal }: ExampleOptions,
): Promise<Loaded> {
  const example = examples[number];
  if (example === undefined)
    throw new UnitscopeError('wrong-use', `there is no example ${number}; there are ${examples.length}`);
  const [rgb, annotation] = await Promise.all([
    decodePixels(example.path, { signal }),
    labelSize === undefined ? undefined : example.annotate(),
  ]);
  await fitNormalised(rgb, preprocessing, size, into.inputs, { signal });
  if (annotation !== undefined && labelSize !== undefined) {
    const region = shownRegion(rgb, preprocessing, size);
    drawLabels(annotation, example.path, rgb, region, labelSize, into.pixelLabels);
  }
  return { number, imageLabels: annotation?.imageLabels ?? table.imageLayers.map(() => 0) };
}

function drawLabels(
  { pixelLabels }: Annotation,
  path: string,
  picture: Size,
  region: Box,
  size: Size,
  into: Int32Array,
): void {
  const plane = size.height * size.width;
  // Layers of the table that the annotation does not reach to.
  into.fill(0, pixelLabels.length * plane);
  pixelLabels.forEach((layer, i) => {
    const own = into.subarray(i * plane, (i + 1) * plane);
    if (layer === undefined) {
      own.fill(0);
      return;
    }
    if (!isReduced(layer, picture)) {
      throw new UnitscopeError(
        'bad-file',
        `the mask of ${path} is ${layer.width}x${layer.height}, the picture ${picture.width}x${picture.height}; ` +
          'they must be of one size, or the mask smaller by a whole factor',
        { subject: path },
      );
    }
    fitLabels(layer, picture, region, size, own);
  });
}

function collate(
  batch: readonly (Loaded | SkippedExample)[],
  { inputs, pixelLabels }: Arrays,
  { inputDims, labelDims, input, labels, imageLabels }: ExampleShape,
): ExampleBatch {
  const loaded: Loaded[] = [];
  const skipped: SkippedExample[] = [];
  for (const [place, item] of batch.entries()) {
    if ('reason' in item) {
      skipped.push(item);
      continue;
    }
    // What could not be used leaves no gap.
    if (loaded.length < place) {
      inputs.copyWithin(loaded.length * input, place * input, (place + 1) * input);
      pixelLabels.copyWithin(loaded.length * labels, place * labels, (place + 1) * labels);
    }
    loaded.push(item);
  }
  const n = loaded.length;
  return {
    numbers: loaded.map(({ number }) => number),
    inputs: { dims: [n, ...inputDims], data: inputs.subarray(0, n * input) },
    pixelLabels: { dims: [n, ...labelDims], data: pixelLabels.subarray(0, n * labels) },
    imageLabels: {
      dims: [n, imageLabels],
      data: Int32Array.from(loaded.flatMap((item) => item.imageLabels)),
    },
    skipped,
  };
}
