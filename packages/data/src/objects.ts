import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { AnnotatedObject, DataSet, Landmark } from './data-set.js';
import { decodePixels } from './decode.js';
import { type ExampleOptions, type SkippedExample, streamBatches } from './examples.js';
import { fitLandmark } from './fit-labels.js';
import { normaliseInto } from './normalise.js';
import { type Box, cropPicture, type RgbPicture, type Size } from './picture.js';
import { resizePicture } from './resize.js';

export interface ObjectOptions extends Omit<ExampleOptions, 'labelSize' | 'batchSize'> {
  /** Pictures in a batch; it holds all their objects. */
  readonly batchSize: number;
  /** Objects whose box is smaller, in pixels of the picture, are left out. Default 50 x 50. */
  readonly minimumArea?: number;
}

/** Objects cut out by their boxes, each a picture of its own. */
export interface ObjectBatch {
  /** Numbers of the pictures that were read, with objects or without. */
  readonly numbers: readonly number[];
  /** Of each object, in the data set: that of its picture times 4096, plus its place there. */
  readonly objectNumbers: readonly number[];
  /** `[objects, 3, height, width]` */
  readonly inputs: Tensor;
  /** `[objects, landmarks, 2]`: y and x in pixels of the input, NaN for a landmark that cannot be seen. */
  readonly landmarks: Tensor<Float64Array>;
  /** Of each object, an index into the data set's `objectCategories`. */
  readonly categories: readonly number[];
  readonly skipped: readonly SkippedExample[];
}

const MOST_OBJECTS = 4096;

interface Crop {
  readonly objectNumber: number;
  readonly picture: RgbPicture;
  readonly landmarks: Float64Array;
  readonly category: number;
}

interface Loaded {
  readonly number: number;
  readonly crops: readonly Crop[];
}

/**
 * The objects of a data set that have a landmark: cut out by their boxes, clipped to the picture, and stretched to the
 * network's input, as location instability is measured. What is seen of `preprocessing` are its filter and numbers, not
 * its crop. Errors as `streamExamples`; a landmark of theirs that lies outside the picture by more than a pixel is
 * `bad-file`.
 */
export async function* streamObjects(
  dataSet: DataSet,
  options: ObjectOptions,
): AsyncGenerator<ObjectBatch, void, undefined> {
  const load = (number: number, signal: AbortSignal) => loadObjects(dataSet, number, { ...options, signal });
  for await (const batch of streamBatches(dataSet, options, load)) yield collate(batch, dataSet, options);
}

async function loadObjects(dataSet: DataSet, number: number, options: ObjectOptions): Promise<Loaded> {
  const { minimumArea = 2500, signal } = options;
  const example = dataSet.examples[number];
  if (example === undefined)
    throw new UnitscopeError(
      'wrong-use',
      `there is no example ${number}; there are ${dataSet.examples.length}`,
    );
  const { objects } = await example.annotate();
  if (objects.length > MOST_OBJECTS)
    throw new UnitscopeError('bad-file', `${example.path} has more than ${MOST_OBJECTS} objects`, {
      subject: example.path,
    });
  const wanted = [...objects.entries()].filter(
    ([, { box, landmarks }]) => box.height * box.width >= minimumArea && landmarks.length > 0,
  );
  if (wanted.length === 0) return { number, crops: [] };
  const rgb = await decodePixels(example.path, { signal });
  for (const [, { landmarks }] of wanted) requireInside(landmarks, rgb, example.path);
  const crops = await Promise.all(
    wanted.map(([place, object]) => cropObject(dataSet, rgb, object, number * MOST_OBJECTS + place, options)),
  );
  return { number, crops: crops.filter((crop) => crop !== undefined) };
}

/** Annotations round and count from 0 or 1, so a pixel outside is none of the annotator's mistakes. */
function requireInside(landmarks: readonly Landmark[], { height, width }: Size, path: string): void {
  const stray = landmarks.find(({ y, x }) => !(y >= -1 && x >= -1 && y <= height && x <= width));
  if (stray === undefined) return;
  throw new UnitscopeError(
    'bad-file',
    `landmark "${stray.name}" of ${path} lies at x ${stray.x}, y ${stray.y}, outside the picture of ${width}x${height}`,
    { subject: path },
  );
}

async function cropObject(
  { landmarkNames, objectCategories }: DataSet,
  picture: RgbPicture,
  { box, landmarks, category }: AnnotatedObject,
  objectNumber: number,
  { size, preprocessing, signal }: ObjectOptions,
): Promise<Crop | undefined> {
  const inside = clip(box, picture);
  if (inside === undefined) return undefined;
  const points = new Float64Array(2 * landmarkNames.length).fill(Number.NaN);
  for (const landmark of landmarks) {
    const fitted = fitLandmark(landmark, inside, size);
    if (fitted !== undefined) points.set([fitted.y, fitted.x], 2 * landmarkNames.indexOf(landmark.name));
  }
  return {
    objectNumber,
    picture: await resizePicture(cropPicture(picture, inside), size, preprocessing.filter, { signal }),
    landmarks: points,
    category: objectCategories.indexOf(category),
  };
}

/** The whole pixels that a box touches and the picture has. */
function clip(box: Box, picture: Size): Box | undefined {
  const top = Math.max(0, Math.floor(box.top));
  const left = Math.max(0, Math.floor(box.left));
  const height = Math.min(picture.height, Math.ceil(box.top + box.height)) - top;
  const width = Math.min(picture.width, Math.ceil(box.left + box.width)) - left;
  return height > 0 && width > 0 ? { top, left, height, width } : undefined;
}

function collate(
  batch: readonly (Loaded | SkippedExample)[],
  { landmarkNames }: DataSet,
  { preprocessing, size }: ObjectOptions,
): ObjectBatch {
  const loaded = batch.filter((item): item is Loaded => 'crops' in item);
  const crops = loaded.flatMap((item) => item.crops);
  const plane = 3 * size.height * size.width;
  const inputs = new Float32Array(crops.length * plane);
  const landmarks = new Float64Array(crops.length * landmarkNames.length * 2);
  crops.forEach((crop, i) => {
    normaliseInto(crop.picture, preprocessing, inputs.subarray(i * plane, (i + 1) * plane));
    landmarks.set(crop.landmarks, i * landmarkNames.length * 2);
  });
  return {
    numbers: loaded.map(({ number }) => number),
    objectNumbers: crops.map(({ objectNumber }) => objectNumber),
    inputs: { dims: [crops.length, 3, size.height, size.width], data: inputs },
    landmarks: { dims: [crops.length, landmarkNames.length, 2], data: landmarks },
    categories: crops.map(({ category }) => category),
    skipped: batch.filter((item): item is SkippedExample => !('crops' in item)),
  };
}
