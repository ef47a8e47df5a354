import {
  iouCountsSync,
  type KernelName,
  type KernelOptions,
  maskForwardSync,
  maxPoolSync,
  miGradientSync,
  placeHalfPixel,
  TopQuantile,
  unpoolSync,
} from '@unitscope/kernels';
import { Random, type Tensor } from '@unitscope/tensor';

/** One size of one kernel that varies. */
export interface Sweep {
  readonly kernel: KernelName;
  readonly parameter: string;
  /** What stays. */
  readonly fixed: string;
  readonly values: readonly number[];
  /** The exponent by which the work grows with the parameter. */
  readonly predicted: number;
  /** Makes the problem of one value; what it gives runs it into reused arrays. */
  readonly prepare: (value: number) => (options: KernelOptions) => void;
}

type Sizes<K extends string> = Readonly<Record<K, number>>;

/** The sweeps of one kernel: each parameter over its values, the others as in `fixed`. */
function sweepsOf<K extends string>(
  kernel: KernelName,
  fixed: Sizes<K>,
  varied: readonly (readonly [parameter: K, predicted: number, values: readonly number[]])[],
  prepare: (sizes: Sizes<K>) => (options: KernelOptions) => void,
): Sweep[] {
  return varied.map(([parameter, predicted, values]) => ({
    kernel,
    parameter,
    fixed: Object.entries(fixed)
      .filter(([name]) => name !== parameter)
      .map(([name, size]) => `${name} ${size}`)
      .join(', '),
    values,
    predicted,
    prepare: (value) => prepare({ ...fixed, [parameter]: value }),
  }));
}

function rectified(dims: readonly number[]): Tensor {
  const { data } = new Random(1).normalTensor(dims);
  return { dims, data: data.map((value) => Math.max(value, 0)) };
}

// Kernels that move data have working sets from 8 MB on, so that no sweep goes from a cache to memory, which would look
// like an exponent; the others have times from far above what a call costs by itself.
export const sweeps: readonly Sweep[] = [
  ...sweepsOf(
    'unpool',
    { batch: 16, channels: 64, n: 112 },
    [
      ['n', 2, [56, 84, 112, 168, 224]],
      ['channels', 1, [16, 32, 64, 128, 256]],
      ['batch', 1, [4, 8, 16, 32, 64]],
    ],
    ({ batch, channels, n }) => {
      const window = { kernel: 2, stride: 2 };
      const { y, switches } = maxPoolSync(new Random(1).normalTensor([batch, channels, n, n]), window);
      const into = { x: new Float32Array(batch * channels * n * n) };
      return (options) => unpoolSync(y, switches, [n, n], window, { ...options, into });
    },
  ),
  ...sweepsOf(
    'maskForward',
    { batch: 32, channels: 512, n: 14 },
    [
      ['n', 2, [10, 14, 20, 28, 40]],
      ['channels', 1, [256, 512, 1024, 2048, 4096]],
      ['batch', 1, [16, 32, 64, 128, 256]],
    ],
    ({ batch, channels, n }) => {
      const x = rectified([batch, channels, n, n]);
      const into = { y: new Float32Array(x.data.length), mu: new Int32Array(batch * channels) };
      return (options) => maskForwardSync(x, { ...options, into });
    },
  ),
  ...sweepsOf(
    'miGradient',
    { batch: 16, channels: 128, n: 14 },
    [
      ['n', 2, [7, 10, 14, 20, 28, 40]],
      ['channels', 1, [32, 64, 128, 256, 512]],
      ['batch', 1, [4, 8, 16, 32, 64]],
    ],
    ({ batch, channels, n }) => {
      const x = rectified([batch, channels, n, n]);
      const into = { dx: new Float32Array(x.data.length) };
      return (options) => miGradientSync(x, { ...options, into });
    },
  ),
  ...sweepsOf(
    'iouCounts',
    { images: 4, units: 512, concepts: 200, pixels: 112 },
    [
      ['images', 1, [1, 2, 4, 8, 16]],
      ['units', 1, [128, 256, 512, 1024, 2048]],
      // Labels are looked up, so that many concepts cost no more than few where as many pixels are labelled.
      ['concepts', 0, [25, 50, 100, 200, 400, 800]],
      ['pixels', 2, [56, 112, 168, 224, 336]],
    ],
    ({ images, units, concepts, pixels }) => {
      const cells = [13, 13] as const;
      const size = [pixels, pixels] as const;
      const random = new Random(2);
      const data = new Int32Array(images * 4 * pixels * pixels);
      // As many segments of an image whatever the number of concepts, each of one of them.
      const side = Math.ceil(pixels / 8);
      for (let row = 0; row < images * 4 * pixels; row += side) {
        for (let column = 0; column < pixels; column += side) {
          const label = random.integer(0, concepts);
          const bottom = Math.min(row + side, images * 4 * pixels);
          for (let y = row; y < bottom; y++)
            data.fill(label, y * pixels + column, y * pixels + Math.min(column + side, pixels));
        }
      }
      const batch = {
        activations: random.normalTensor([images, units, ...cells]),
        pixelLabels: { dims: [images, 4, ...size], data },
      };
      // Low, so that counting what is above outweighs making the labels ready.
      const thresholds = new Float64Array(units).fill(1.25);
      const known = { categoryOf: new Int32Array(concepts + 1).fill(-1), categories: 0 };
      const placement = placeHalfPixel(cells, size);
      const counts = iouCountsSync(batch, thresholds, known, placement).counts;
      return (options) => iouCountsSync(batch, thresholds, known, placement, { ...options, into: counts });
    },
  ),
  ...sweepsOf(
    'topQuantile',
    { units: 64, values: 65536 },
    [
      ['units', 1, [16, 32, 64, 128, 256]],
      ['values', 1, [16384, 32768, 65536, 131072, 262144]],
    ],
    ({ units, values }) => {
      const batch = new Random(1).normalTensor([1, units, values]);
      return (options) => {
        const selection = new TopQuantile({ units, fraction: 0.005, atMost: values });
        selection.addSync(batch, options);
        selection.result();
      };
    },
  ),
];
