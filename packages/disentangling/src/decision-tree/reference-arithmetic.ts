import type { Rationale, RationaleProblem, TreeArithmetic } from './arithmetic.js';
import type { TreeSamples } from './samples.js';

export interface SweepOptions {
  /** The most sweeps over the coordinates; 1000 by default. */
  readonly maxSweeps?: number;
  /** No prediction changes by more than this part of the largest score in the last sweep; 1e-6 by default. */
  readonly tolerance?: number;
}

/** In double precision, straight from the definitions: the judge of the kernels. */
export function referenceArithmetic(samples: TreeSamples, options: SweepOptions = {}): TreeArithmetic {
  const { filters, x, g, y } = samples;
  return {
    fit: (problems) => Promise.resolve(problems.map((problem) => lasso(samples, problem, options))),
    products: (rows) =>
      Promise.resolve(
        rows.map((row) => ({
          x: Float64Array.from(y, (_, n) => dot(row, x, n * filters)),
          g: Float64Array.from(y, (_, n) => dot(row, g, n * filters)),
        })),
      ),
  };
}

function dot(row: Float64Array, matrix: Float64Array, from: number): number {
  let sum = 0;
  for (let d = 0; d < row.length; d++) sum += row[d]! * matrix[from + d]!;
  return sum;
}

/** Cyclic coordinate descent; a sweep is the intercept, then the filters in their order. */
function lasso(
  { filters, x, y }: TreeSamples,
  { gradient, members, lambda }: RationaleProblem,
  { maxSweeps = 1000, tolerance = 1e-6 }: SweepOptions,
): Rationale {
  const count = members.length;
  const features = Array.from(gradient, (direction, d) =>
    Float64Array.from(members, (n) => direction * x[n * filters + d]!),
  );
  const squares = features.map((column) => column.reduce((sum, value) => sum + value * value, 0));
  const alpha = new Float64Array(filters).fill(1);
  const largest = members.reduce((max, n) => Math.max(max, Math.abs(y[n]!)), 0);
  // What is left of the scores.
  const rest = Float64Array.from(members, (n, i) =>
    features.reduce((left, column) => left - column[i]!, y[n]!),
  );
  let b = 0;
  for (let sweep = 0; sweep < maxSweeps; sweep++) {
    let moved = 0;
    const shift = rest.reduce((sum, value) => sum + value, 0) / count;
    b += shift;
    for (let i = 0; i < count; i++) rest[i]! -= shift;
    moved = Math.abs(shift);
    for (const [d, column] of features.entries()) {
      const square = squares[d]!;
      if (square === 0) {
        alpha[d] = 0;
        continue;
      }
      const before = alpha[d]!;
      let pull = square * before;
      for (let i = 0; i < count; i++) pull += column[i]! * rest[i]!;
      const size = Math.max(Math.abs(pull) - (lambda * count) / 2, 0) / square;
      const after = pull < 0 && size > 0 ? -size : size;
      if (after === before) continue;
      alpha[d] = after;
      for (let i = 0; i < count; i++) {
        const step = (after - before) * column[i]!;
        rest[i]! -= step;
        moved = Math.max(moved, Math.abs(step));
      }
    }
    if (moved <= tolerance * largest) break;
  }
  return { alpha, b };
}
