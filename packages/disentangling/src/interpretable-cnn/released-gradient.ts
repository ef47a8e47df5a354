import type { Tensor } from '@unitscope/tensor';

/** What the released code knows of a batch of maps, all `[N, C]`. */
export interface ReleasedMaps {
  /** s = mean_ij of x under its own mask, not cut at 0. */
  readonly strengths: Float64Array;
  /** sqrt(sum x ((i - mu_i)^2 + (j - mu_j)^2) / sum x), in cells, mu the rounded centroid. */
  readonly spreads: Float64Array;
  /** v of a picture of the filter's category, and of another; each up to a factor of its filter, which is above 0. */
  readonly positive: Float64Array;
  readonly negative: Float64Array;
  /** Row and column of the rounded centroid, from 0. */
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** The code's a. */
const TEMPERATURE = 0.5;

/**
 * What the authors' published code computes of its maps, in float64:
 *
 *   positive: v = e^(s/a) (s - a log Z+ + a), Z+ = mean over the batch of e^(s'/a), s' under the mask of another map, the
 *             order of pictures and of channels reversed
 *   negative: v = e^(-m/a) (-m - a log Z- + a), Z- = mean of e^(-m/a), m = mean_ij x
 *
 * The largest e^(s/a) of a filter is divided out, so nothing overflows.
 *
 * @param maps `[N, C, h, w]`
 * @param slopes of the masks, `[C]`
 */
export function readMaps({ dims, data }: Tensor, slopes: Float32Array): ReleasedMaps {
  const [batch = 0, channels = 0, height = 0, width = 0] = dims;
  const count = batch * channels;
  const cells = height * width;
  const make = () => new Float64Array(count);
  const [strengths, spreads, others, means, positive, negative] = [
    make(),
    make(),
    make(),
    make(),
    make(),
    make(),
  ];
  const rows = new Int32Array(count);
  const columns = new Int32Array(count);
  for (let map = 0; map < count; map++) {
    let [mass, row, column] = [0, 0, 0];
    for (let cell = 0; cell < cells; cell++) {
      const value = data[map * cells + cell]!;
      mass += value;
      row += value * (Math.floor(cell / width) + 1);
      column += value * ((cell % width) + 1);
    }
    means[map] = mass / cells;
    rows[map] = roundedCell(row / Math.max(mass, 1e-9), height);
    columns[map] = roundedCell(column / Math.max(mass, 1e-9), width);
    let squares = 0;
    for (let cell = 0; cell < cells; cell++) {
      const distance = (Math.floor(cell / width) - rows[map]!) ** 2 + ((cell % width) - columns[map]!) ** 2;
      squares += data[map * cells + cell]! * distance;
    }
    spreads[map] = Math.sqrt(squares / Math.max(mass, 1e-9));
  }
  const under = (map: number, masked: number): number => {
    const mask = maskAt(rows[masked]!, columns[masked]!, slopes[masked % channels]!, [height, width]);
    let sum = 0;
    for (let cell = 0; cell < cells; cell++) sum += data[map * cells + cell]! * mask(cell);
    return sum / cells;
  };
  for (let map = 0; map < count; map++) {
    strengths[map] = under(map, map);
    others[map] = under(map, count - 1 - map);
  }
  const minus = means.map((mean) => -mean);
  for (let channel = 0; channel < channels; channel++) {
    const list = Array.from({ length: batch }, (_, image) => image * channels + channel);
    weigh(list, strengths, logMean(list, others), positive);
    weigh(list, minus, logMean(list, minus), negative);
  }
  return { strengths, spreads, positive, negative, rows, columns };
}

/** Rounded half up, a cell counted from 0; of no mass, the first. */
function roundedCell(position: number, size: number): number {
  return Math.min(Math.max(Math.round(position), 1), size) - 1;
}

/** The released mask, not cut at 0: max(1 - w (|y_i - y_mu| + |x_j - x_mu|), -1) on a grid from -1 to 1. */
export function maskAt(
  row: number,
  column: number,
  slope: number,
  [height, width]: readonly [number, number],
): (cell: number) => number {
  const down = height > 1 ? (2 * slope) / (height - 1) : 0;
  const across = width > 1 ? (2 * slope) / (width - 1) : 0;
  return (cell) =>
    Math.max(
      1 - down * Math.abs(Math.floor(cell / width) - row) - across * Math.abs((cell % width) - column),
      -1,
    );
}

/** a log of the mean of e^(value / a). */
function logMean(list: readonly number[], values: Float64Array): number {
  const largest = list.reduce((most, at) => Math.max(most, values[at]!), Number.NEGATIVE_INFINITY);
  const sum = list.reduce((total, at) => total + Math.exp((values[at]! - largest) / TEMPERATURE), 0);
  return largest + TEMPERATURE * Math.log(sum / list.length);
}

function weigh(list: readonly number[], values: Float64Array, logZ: number, into: Float64Array): void {
  const largest = list.reduce((most, at) => Math.max(most, values[at]!), Number.NEGATIVE_INFINITY);
  for (const at of list) {
    into[at] = Math.exp((values[at]! - largest) / TEMPERATURE) * (values[at]! - logZ + TEMPERATURE);
  }
}

/**
 * What the released code adds to the gradient, but for its size: -mask v for a picture of the filter's category, +v over
 * all positions for another.
 *
 * @param targets `[N, C]`
 */
export function releasedDirection(
  maps: Tensor,
  targets: Tensor<Uint8Array>,
  slopes: Float32Array,
  known: ReleasedMaps,
): Float32Array {
  const [, channels = 0, height = 0, width = 0] = maps.dims;
  const cells = height * width;
  const direction = new Float32Array(maps.data.length);
  for (let map = 0; map < targets.data.length; map++) {
    const from = map * cells;
    if (targets.data[map] === 0) {
      direction.fill(known.negative[map]!, from, from + cells);
      continue;
    }
    const slope = slopes[map % channels]!;
    const mask = maskAt(known.rows[map]!, known.columns[map]!, slope, [height, width]);
    for (let cell = 0; cell < cells; cell++) direction[from + cell] = -mask(cell) * known.positive[map]!;
  }
  return direction;
}
