import { iouCountsSync, placeHalfPixel, TopQuantile } from '@unitscope/kernels';
import { Random } from '@unitscope/tensor';
import type { Problem } from './problem.js';

const UNITS = 256;
const CELLS = [13, 13] as const;
const PIXELS = [112, 112] as const;
const LAYERS = 4;
const CONCEPTS = 200;
const IMAGES = 8;

/** What 0.005 of the activations exceed: the quantile by which units are dissected. */
const THRESHOLD = 2.576;

/** Blocks of labels on a half-empty ground; each layer has concepts of its own, counted from 1. */
function makeLabels(): Int32Array {
  const random = new Random(2);
  const [height, width] = PIXELS;
  const labels = new Int32Array(IMAGES * LAYERS * height * width);
  const own = CONCEPTS / LAYERS;
  for (let plane = 0; plane < IMAGES * LAYERS; plane++) {
    for (let block = 0; block < 8; block++) {
      const label = 1 + (plane % LAYERS) * own + random.integer(0, own - 1);
      const [top, left] = [random.integer(0, height - 1), random.integer(0, width - 1)];
      const [bottom, right] = [random.integer(top, height), random.integer(left, width)];
      for (let y = top; y < bottom; y++) {
        labels.fill(label, (plane * height + y) * width + left, (plane * height + y) * width + right);
      }
    }
  }
  return labels;
}

const BATCHES = 16;
const BATCH_DIMS = [16, UNITS, 64, 64] as const;
const VALUES = BATCHES * BATCH_DIMS[0] * BATCH_DIMS[2] * BATCH_DIMS[3];

/**
 * From 0 to 1, as the peer makes them too, since a gigabyte is slow to hand over: the finalizer of MurmurHash3 (public
 * domain, Austin Appleby) of unit * VALUES + sample.
 */
function scrambled(index: number): number {
  let bits = index | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 8) / 2 ** 24;
}

function makeBatch(batch: number): Float32Array {
  const [images, units, height, width] = BATCH_DIMS;
  const cells = height * width;
  const data = new Float32Array(images * units * cells);
  for (let image = 0, at = 0; image < images; image++) {
    for (let unit = 0; unit < units; unit++) {
      const first = unit * VALUES + (batch * images + image) * cells;
      for (let cell = 0; cell < cells; cell++) data[at++] = scrambled(first + cell);
    }
  }
  return data;
}

/** What network dissection counts. */
export const dissectionProblems: readonly Problem[] = [
  {
    kernel: 'iouCounts',
    name: `${IMAGES} images, [${UNITS}, ${CELLS.join(', ')}] over [${LAYERS}, ${PIXELS.join(', ')}], ${CONCEPTS} concepts`,
    operation: 'iou_counts',
    goal: {
      text: 'at most 1.5 ms an image',
      atMost: 1.5,
      threads: 2,
      value: ({ ours }) => ours.min / IMAGES,
    },
    prepare: () => {
      const activations = new Random(1).normalTensor([IMAGES, UNITS, ...CELLS]);
      const pixelLabels = { dims: [IMAGES, LAYERS, ...PIXELS], data: makeLabels() };
      const thresholds = new Float64Array(UNITS).fill(THRESHOLD);
      const rows = CONCEPTS + 1;
      const known = { categoryOf: new Int32Array(rows).fill(-1), categories: 0 };
      const zeros = (...dims: number[]) => ({
        dims,
        data: new BigInt64Array(dims.reduce((product, size) => product * size, 1)),
      });
      const into = {
        intersection: zeros(UNITS, rows),
        labelPixels: zeros(rows),
        categoryArea: zeros(UNITS, 0),
        area: zeros(UNITS),
      };
      const placement = placeHalfPixel(CELLS, PIXELS);
      return {
        bytes:
          activations.data.byteLength + pixelLabels.data.byteLength + into.intersection.data.byteLength * 2,
        settings: { threshold: THRESHOLD, rows },
        inputs: { activations, labels: pixelLabels },
        run: (threads) => {
          for (const { data } of Object.values(into)) data.fill(0n);
          iouCountsSync({ activations, pixelLabels }, thresholds, known, placement, {
            backend: 'cpu',
            threads,
            into,
          });
        },
        outputs: () => ({
          intersection: into.intersection.data,
          labelPixels: into.labelPixels.data,
          area: into.area.data,
        }),
      };
    },
  },
  {
    kernel: 'topQuantile',
    name: `${BATCHES} x [${BATCH_DIMS.join(', ')}], 0.005 of 2^20 values a unit`,
    operation: 'top_quantile',
    goal: {
      text: 'at most 4 reads of the data',
      atMost: 4,
      value: ({ ours, read }) => ours.min / read.min,
    },
    prepare: () => {
      const batches = Array.from({ length: BATCHES }, (_, batch) => makeBatch(batch));
      let quantiles = new Float64Array(0);
      return {
        bytes: batches.reduce((sum, { byteLength }) => sum + byteLength, 0),
        settings: { units: UNITS, values: VALUES, fraction: 0.005 },
        inputs: {},
        run: (threads) => {
          const selection = new TopQuantile({ units: UNITS, fraction: 0.005, atMost: VALUES });
          for (const data of batches)
            selection.addSync({ dims: BATCH_DIMS, data }, { backend: 'cpu', threads });
          quantiles = Float64Array.from(selection.result());
        },
        outputs: () => ({ quantiles }),
      };
    },
  },
];
