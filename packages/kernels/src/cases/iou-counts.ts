import { Random } from '@unitscope/tensor';
import { iouCounts, iouCountsSync } from '../iou-counts.js';
import {
  type MapPlacement,
  placeAtReceptiveFields,
  placeHalfPixel,
  placeZeroPadded,
} from '../map-placement.js';
import { iouCountsReference } from '../reference/iou-counts.js';
import { type KernelCase, makeValues, type ValueKind } from './case.js';
import { placeAnywhere } from './placement.js';

interface Problem {
  readonly images: number;
  readonly units: number;
  readonly cells: readonly [number, number];
  readonly pixels: readonly [number, number];
  readonly layers: number;
  readonly imageLabels: number;
  readonly concepts: number;
  readonly categories: number;
  readonly placement: MapPlacement;
  readonly values: ValueKind | 'negative' | 'infinities';
  readonly threshold: number;
  readonly purpose: KernelCase['purpose'];
}

function valuesOf(kind: Problem['values'], size: number): Float32Array {
  if (kind === 'negative') return makeValues('normal', size, 1).map((value) => -Math.abs(value) - 0.1);
  if (kind === 'infinities')
    return makeValues('normal', size, 1).map((value) => (Math.abs(value) > 1.5 ? value / 0 : value));
  return makeValues(kind, size, 1);
}

/** Labels as segmentations have them: blocks of one label, a good part without. */
function labelsOf({ images, layers, pixels, concepts }: Problem): Int32Array {
  const random = new Random(2);
  const labels = new Int32Array(images * layers * pixels[0] * pixels[1]);
  for (let plane = 0; plane < images * layers; plane++) {
    for (let block = 0; block < 8; block++) {
      const label = random.integer(0, concepts - 1);
      const [top, left] = [random.integer(0, pixels[0] - 1), random.integer(0, pixels[1] - 1)];
      const bottom = random.integer(top, pixels[0]);
      const right = random.integer(left, pixels[1]);
      for (let y = top; y < bottom; y++) {
        const row = (plane * pixels[0] + y) * pixels[1];
        labels.fill(label, row + left, row + right);
      }
    }
  }
  return labels;
}

function caseOf(problem: Problem): KernelCase {
  const { images, units, cells, pixels, layers, imageLabels, concepts, categories, placement } = problem;
  return {
    kernel: 'iouCounts',
    name:
      `[${images}, ${units}, ${cells.join(', ')}] over [${layers}, ${pixels.join(', ')}] ${concepts} concepts ` +
      `origin ${placement.origin[1].toFixed(2)} step ${placement.step[1].toFixed(2)} ${placement.edge} ` +
      `${problem.values} above ${problem.threshold}`,
    purpose: problem.purpose,
    prepare: () => {
      const random = new Random(3);
      const batch = {
        activations: {
          dims: [images, units, ...cells],
          data: valuesOf(problem.values, images * units * cells[0] * cells[1]),
        },
        pixelLabels: { dims: [images, layers, ...pixels], data: labelsOf(problem) },
        imageLabels: {
          dims: [images, imageLabels],
          data: Int32Array.from({ length: images * imageLabels }, () => random.integer(0, concepts - 1)),
        },
      };
      const thresholds = new Float64Array(units).fill(problem.threshold);
      const categoryOf = Int32Array.from({ length: concepts }, () => random.integer(-1, categories - 1));
      const newCounts = () => ({
        intersection: { dims: [units, concepts], data: new BigInt64Array(units * concepts) },
        labelPixels: { dims: [concepts], data: new BigInt64Array(concepts) },
        categoryArea: { dims: [units, categories], data: new BigInt64Array(units * categories) },
        area: { dims: [units], data: new BigInt64Array(units) },
      });
      const counts = newCounts();
      // Counts are added to, so a run starts from something, which must still be there afterwards.
      const clear = () => {
        for (const { data } of Object.values(counts)) data.fill(1n);
      };
      const known = { categoryOf, categories };
      return {
        bytes:
          batch.activations.data.byteLength +
          batch.pixelLabels.data.byteLength +
          counts.intersection.data.byteLength * 2,
        ...placeAnywhere((at) => {
          const placed = {
            activations: at.tensor(batch.activations),
            pixelLabels: at.tensor(batch.pixelLabels),
            imageLabels: at.tensor(batch.imageLabels),
          };
          const above = at.array(thresholds);
          const into = {
            intersection: at.tensor(counts.intersection),
            labelPixels: at.tensor(counts.labelPixels),
            categoryArea: at.tensor(counts.categoryArea),
            area: at.tensor(counts.area),
          };
          return {
            run: async (options) =>
              (await iouCounts(placed, above, known, placement, { ...options, into })).backend,
            runSync: (options) =>
              iouCountsSync(placed, above, known, placement, { ...options, into }).backend,
          };
        }, clear),
        compare: () => {
          const expected = newCounts();
          iouCountsReference({
            images,
            units,
            height: cells[0],
            width: cells[1],
            outHeight: pixels[0],
            outWidth: pixels[1],
            layers,
            imageLabelCount: imageLabels,
            concepts,
            categories,
            edge: placement.edge === 'clamp' ? 0 : 1,
            originY: placement.origin[0],
            originX: placement.origin[1],
            stepY: placement.step[0],
            stepX: placement.step[1],
            x: batch.activations.data,
            thresholds,
            pixelLabels: batch.pixelLabels.data,
            imageLabels: batch.imageLabels.data,
            categoryOf,
            intersection: expected.intersection.data,
            labelPixels: expected.labelPixels.data,
            categoryArea: expected.categoryArea.data,
            area: expected.area.data,
          });
          for (const name of ['area', 'labelPixels', 'categoryArea', 'intersection'] as const) {
            const { data } = expected[name];
            const at = data.findIndex((value, i) => counts[name].data[i] !== value + 1n);
            if (at >= 0)
              return `${name}[${at}] is ${counts[name].data[at]! - 1n}, the reference says ${data[at]}`;
          }
          return undefined;
        },
      };
    },
  };
}

const small = {
  images: 2,
  units: 5,
  cells: [7, 5],
  pixels: [29, 37],
  layers: 3,
  imageLabels: 2,
  concepts: 6,
  categories: 3,
  purpose: 'conformance',
} as const;

const PLACEMENTS: readonly MapPlacement[] = [
  placeHalfPixel(small.cells, small.pixels),
  placeZeroPadded(small.cells, small.pixels),
  placeAtReceptiveFields({ size: 11, stride: 8, offset: 1 }, 2),
  { origin: [-40, 12.5], step: [3.3, 100], edge: 'zero' },
  { origin: [60, 500], step: [0.25, 0.5], edge: 'clamp' },
];

const AWKWARD: readonly Partial<Problem>[] = [
  { cells: [1, 1], pixels: [1, 1] },
  { cells: [1, 9], pixels: [70, 3] },
  { cells: [9, 1], pixels: [3, 130] },
  { cells: [6, 6], pixels: [3, 3] },
  { cells: [3, 2], pixels: [20, 200] },
  { images: 0 },
  { layers: 0 },
  { imageLabels: 0 },
  { concepts: 1, imageLabels: 1 },
  { categories: 0 },
  // Labels of this size are made ready in several groups of images.
  { images: 4, units: 2, layers: 2, pixels: [500, 601] },
];

const real = {
  units: 256,
  cells: [13, 13],
  pixels: [112, 112],
  layers: 4,
  imageLabels: 1,
  concepts: 201,
  categories: 6,
  values: 'normal',
  threshold: 2.576,
  purpose: 'benchmark',
} as const;

export const iouCountsCases: readonly KernelCase[] = [
  ...PLACEMENTS.flatMap((placement) =>
    (['normal', 'ties', 'zeros', 'negative', 'nan', 'infinities', 'negative-infinity'] as const).flatMap(
      (values) => [0, 1, -0.5].map((threshold) => caseOf({ ...small, placement, values, threshold })),
    ),
  ),
  ...AWKWARD.flatMap((awkward) => {
    const sizes = { ...small, values: 'normal', threshold: 0.5, ...awkward } as const;
    return [placeHalfPixel, placeZeroPadded].map((place) =>
      caseOf({ ...sizes, placement: place(sizes.cells, sizes.pixels) }),
    );
  }),
  caseOf({ ...real, images: 1, placement: placeHalfPixel(real.cells, real.pixels) }),
  caseOf({ ...real, images: 8, placement: placeHalfPixel(real.cells, real.pixels) }),
  caseOf({
    ...real,
    images: 1,
    placement: placeAtReceptiveFields({ size: 163, stride: 16, offset: -64 }, 2),
  }),
  caseOf({ ...real, images: 1, placement: placeZeroPadded(real.cells, real.pixels) }),
];
