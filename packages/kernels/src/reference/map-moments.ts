import type { MapsParams } from '../kernel-arguments.js';

/** A sum in float64 that keeps what each addition loses (Neumaier 1974), so that it can check sums in plain float64. */
function exactly(terms: Iterable<number>): number {
  let sum = 0;
  let lost = 0;
  for (const term of terms) {
    const next = sum + term;
    lost += Math.abs(sum) >= Math.abs(term) ? sum - next + term : term - next + sum;
    sum = next;
  }
  return Number.isFinite(sum) ? sum + lost : sum;
}

/**
 * mass, mean row, mean column, variance of rows, variance of columns and covariance of every map, `[maps, 6]`, straight
 * from the definition. `bounds` is what the sums of a kernel in float64 may be off by.
 */
export function mapMomentsReference(
  { maps, height, width }: MapsParams,
  rectified: boolean,
  x: ArrayLike<number>,
): { moments: Float64Array; bounds: Float64Array } {
  const moments = new Float64Array(maps * 6).fill(Number.NaN);
  const bounds = new Float64Array(maps * 6);
  const side = Math.max(height, width);
  const u = (height + width + 16) * 2 ** -53;
  for (let map = 0; map < maps; map++) {
    const cells = Array.from({ length: height * width }, (_, cell) => {
      const value = x[map * height * width + cell]!;
      return {
        w: rectified ? Math.max(value, 0) : value,
        row: Math.floor(cell / width),
        column: cell % width,
      };
    });
    const mass = exactly(cells.map(({ w }) => w));
    const absolute = exactly(cells.map(({ w }) => Math.abs(w)));
    moments[map * 6] = mass;
    bounds[map * 6] = u * absolute;
    if (mass === 0 || !Number.isFinite(mass)) continue;
    const mean = (term: (cell: (typeof cells)[number]) => number) => exactly(cells.map(term)) / mass;
    const row = mean((cell) => cell.w * cell.row);
    const column = mean((cell) => cell.w * cell.column);
    const varianceRow = mean((cell) => cell.w * (cell.row - row) ** 2);
    const varianceColumn = mean((cell) => cell.w * (cell.column - column) ** 2);
    const covariance = mean((cell) => cell.w * (cell.row - row) * (cell.column - column));
    moments.set([row, column, varianceRow, varianceColumn, covariance], map * 6 + 1);
    const amplified = (2 * u * absolute) / Math.abs(mass);
    const reach = side + Math.abs(row) + Math.abs(column);
    const ofMean = amplified * reach;
    const ofVariance = (variance: number, magnitude: number) =>
      amplified * (Math.abs(magnitude) + Math.abs(variance)) + ofMean ** 2;
    bounds.set(
      [
        ofMean,
        ofMean,
        ofVariance(
          varianceRow,
          mean((cell) => Math.abs(cell.w) * (cell.row - row) ** 2),
        ),
        ofVariance(
          varianceColumn,
          mean((cell) => Math.abs(cell.w) * (cell.column - column) ** 2),
        ),
        amplified * (reach ** 2 + Math.abs(covariance)) + ofMean ** 2,
      ],
      map * 6 + 1,
    );
  }
  return { moments, bounds };
}
