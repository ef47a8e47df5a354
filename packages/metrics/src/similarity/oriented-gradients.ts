import { type Plane, requireAlike, requirePlane, scaleToUnit } from './plane.js';
import { pearson, spearman } from './rank-correlation.js';

/** Directions without sign in 0 to 180 degrees. */
const ORIENTATIONS = 9;
/** In cells, each way; fewer where the plane has fewer. */
const MOST_BLOCK_CELLS = 3;
const NORM_EPSILON = 1e-5;
const NORM_CEILING = 0.2;

export interface HogOptions {
  /** The side of a cell in pixels. Default 16. */
  readonly cellSize?: number;
}

/**
 * The histograms of oriented gradients of a plane (Dalal and Triggs 2005), scaled to 0..1 by its least and largest value
 * first. Gradients are differences of the two neighbours, 0 at the border; a pixel adds its gradient's magnitude to one
 * of 9 bins of 20 degrees, without interpolation, of its cell of 16 x 16 pixels; a histogram is the mean over its cell.
 * Pixels beyond the last whole cell are left out. Every block of 3 x 3 cells (of all cells in a direction that has
 * fewer), one cell apart, is normalised by L2-Hys: v / sqrt(|v|^2 + 1e-10), clipped at 0.2, and once more.
 *
 * @returns blocks, then cells, each row by row, then orientations; empty where the plane is smaller than a cell
 *
 * Throws `bad-input` for a plane whose size is not that of its data, NaN and infinity.
 */
export function hogDescriptor(plane: Plane, options: HogOptions = {}): Float64Array {
  requirePlane(plane);
  const { cellSize = 16 } = options;
  const [rows, columns] = [Math.floor(plane.height / cellSize), Math.floor(plane.width / cellSize)];
  if (rows === 0 || columns === 0) return new Float64Array(0);
  const histograms = cellHistograms(plane, cellSize, rows, columns);
  const [blockRows, blockColumns] = [Math.min(MOST_BLOCK_CELLS, rows), Math.min(MOST_BLOCK_CELLS, columns)];
  const blockSize = blockRows * blockColumns * ORIENTATIONS;
  const [down, across] = [rows - blockRows + 1, columns - blockColumns + 1];
  const descriptor = new Float64Array(down * across * blockSize);
  for (let block = 0; block < down * across; block++) {
    const [top, left] = [Math.floor(block / across), block % across];
    const values = descriptor.subarray(block * blockSize, (block + 1) * blockSize);
    for (let row = 0; row < blockRows; row++) {
      const from = ((top + row) * columns + left) * ORIENTATIONS;
      const run = blockColumns * ORIENTATIONS;
      values.set(histograms.subarray(from, from + run), row * run);
    }
    normalise(values);
    for (const [i, value] of values.entries()) values[i] = Math.min(value, NORM_CEILING);
    normalise(values);
  }
  return descriptor;
}

/** Which correlation compares two descriptors. */
export type HogCorrelation = 'spearman' | 'pearson';

/**
 * How alike two planes are by the correlation of their `hogDescriptor`s. Adebayo et al. 2018 (arXiv:1810.03292) speak
 * of Pearson's; the code they released computes Spearman's, which is the default.
 *
 * @returns NaN where a descriptor is empty or has equal values only, as that of a plane of equal values
 *
 * Throws `bad-input` for planes of different sizes, NaN and infinity.
 */
export function hogSimilarity(
  a: Plane,
  b: Plane,
  options: HogOptions & { readonly correlation?: HogCorrelation } = {},
): number {
  requireAlike(a, b);
  const correlate = options.correlation === 'pearson' ? pearson : spearman;
  return correlate(hogDescriptor(a, options), hogDescriptor(b, options));
}

function cellHistograms(
  { height, width, data }: Plane,
  cellSize: number,
  rows: number,
  columns: number,
): Float64Array {
  const values = scaleToUnit(data);
  const histograms = new Float64Array(rows * columns * ORIENTATIONS);
  const difference = (i: number, step: number, inside: boolean) =>
    inside ? values[i + step]! - values[i - step]! : 0;
  for (let row = 0; row < rows * cellSize; row++) {
    for (let column = 0; column < columns * cellSize; column++) {
      const i = row * width + column;
      const down = difference(i, width, row > 0 && row < height - 1);
      const across = difference(i, 1, column > 0 && column < width - 1);
      const cell = Math.floor(row / cellSize) * columns + Math.floor(column / cellSize);
      histograms[cell * ORIENTATIONS + orientationOf(down, across)]! +=
        Math.hypot(down, across) / cellSize ** 2;
    }
  }
  return histograms;
}

/** The bin of a direction, opposite ones being the same. */
function orientationOf(down: number, across: number): number {
  const degrees = (Math.atan2(down, across) * 180) / Math.PI;
  const unsigned = degrees < 0 ? degrees + 180 : degrees;
  // 180 degrees are 0.
  return Math.floor((unsigned * ORIENTATIONS) / 180) % ORIENTATIONS;
}

function normalise(values: Float64Array): void {
  let squares = NORM_EPSILON ** 2;
  for (const value of values) squares += value * value;
  const norm = Math.sqrt(squares);
  for (const [i, value] of values.entries()) values[i] = value / norm;
}
