import type { KernelArguments } from '../kernel-arguments.js';
import type { OnHost } from '../storage.js';

type Inputs = OnHost<KernelArguments['lasso']>;

/** The features and the response of one problem, for its members only. */
interface Problem {
  /** Of each feature: scaled, less its mean. */
  readonly columns: readonly Float64Array[];
  /** Of each feature, for each member: the sizes of the numbers that its column's are differences of. */
  readonly sizes: readonly Float64Array[];
  readonly means: Float64Array;
  readonly response: Float64Array;
  readonly meanResponse: number;
  /** Sum of the squares of the response less its mean. */
  readonly variation: number;
}

const sumOf = (count: number, term: (i: number) => number): number => {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += term(i);
  return sum;
};

function problemOf(inputs: Inputs, problem: number): Problem {
  const { features, x, y, scale, offsets, member } = inputs;
  const rows = Array.from(member.subarray(offsets[problem], offsets[problem + 1]));
  const n = rows.length;
  const meanResponse = sumOf(n, (i) => y[rows[i]!]!) / n;
  const response = Float64Array.from(rows, (row) => y[row]! - meanResponse);
  const columns: Float64Array[] = [];
  const sizes: Float64Array[] = [];
  const means = new Float64Array(features);
  for (let d = 0; d < features; d++) {
    const factor = scale[problem * features + d]!;
    const mean = sumOf(n, (i) => x[rows[i]! * features + d]!) / n;
    means[d] = factor * mean;
    columns.push(Float64Array.from(rows, (row) => factor * (x[row * features + d]! - mean)));
    sizes.push(
      Float64Array.from(
        rows,
        (row) => Math.abs(factor) * (Math.abs(x[row * features + d]!) + Math.abs(mean)),
      ),
    );
  }
  return { columns, sizes, means, response, meanResponse, variation: sumOf(n, (i) => response[i]! ** 2) };
}

const dot = (a: Float64Array, b: Float64Array): number => sumOf(a.length, (i) => a[i]! * b[i]!);

/** What the definition says of given coefficients, whoever found them. */
export interface LassoCertificate {
  /** sum (c + alpha f - y)^2 / n + lambda |alpha|_1. */
  readonly objective: number;
  readonly gap: number;
  /** How far rounding may have moved a gap that was computed in double. */
  readonly gapBound: number;
  /** The mean of the residual, which is 0 where the intercept is the best, and how far rounding may move it. */
  readonly mean: number;
  readonly meanBound: number;
  readonly variation: number;
  /** c + alpha f of every member. */
  readonly fit: Float64Array;
  /**
   * By how much a coefficient breaks its optimality condition: <f_d, r> = lambda n / 2 sign(alpha_d), or at most
   * lambda n / 2 in size where alpha_d is 0.
   */
  readonly violations: Float64Array;
}

/** Computes objective, duality gap and optimality conditions of a problem's coefficients from their definitions. */
export function certifyLasso(
  inputs: Inputs,
  problem: number,
  alpha: ArrayLike<number>,
  intercept: number,
): LassoCertificate {
  const { features } = inputs;
  const lambda = inputs.lambda[problem]!;
  const { columns, sizes, means, response, meanResponse, variation } = problemOf(inputs, problem);
  const n = response.length;
  const fit = new Float64Array(n);
  const size = new Float64Array(n);
  const shift = intercept + sumOf(features, (d) => alpha[d]! * means[d]!);
  for (let i = 0; i < n; i++) {
    fit[i] = shift + sumOf(features, (d) => alpha[d]! * columns[d]![i]!);
    size[i] =
      Math.abs(response[i]!) +
      2 * Math.abs(meanResponse) +
      Math.abs(intercept) +
      sumOf(features, (d) => Math.abs(alpha[d]!) * 2 * sizes[d]![i]!);
  }
  const residual = Float64Array.from(fit, (value, i) => response[i]! + meanResponse - value);
  const rounding = (n + features + 100) * 2 ** -52;
  const left = dot(residual, residual);
  const common = dot(residual, response);
  const penalty = n * lambda * sumOf(features, (d) => Math.abs(alpha[d]!));
  const all = dot(size, size);
  const limit = (lambda * n) / 2;
  const products = columns.map((column) => dot(column, residual));
  const spread = sizes.map((of) => dot(of, size));
  const largest = Math.max(0, ...products.map(Math.abs));
  const found = {
    objective: (left + penalty) / n,
    mean: sumOf(n, (i) => residual[i]!) / n,
    meanBound: rounding * Math.sqrt(all),
    variation,
    fit,
    violations: Float64Array.from(products, (product, d) => {
      const wanted = limit * Math.sign(alpha[d]!);
      return alpha[d] === 0 ? Math.max(0, Math.abs(product) - limit) : Math.abs(product - wanted);
    }),
  };
  if (lambda === 0) {
    const correlations = columns.map((column, d) => {
      const norm = Math.sqrt(dot(column, column) * variation);
      return norm === 0 ? [0, 0] : [Math.abs(products[d]!) / norm, spread[d]! / norm];
    });
    return {
      ...found,
      gap: Math.max(0, ...correlations.map(([correlation]) => correlation!)),
      gapBound: 2 * rounding * Math.max(0, ...correlations.map(([, size]) => size!)),
    };
  }
  // The dual's best multiple of the residual among those that are allowed.
  const most = largest > 0 ? limit / largest : Number.POSITIVE_INFINITY;
  const factor = Math.min(Math.max(left > 0 ? common / left : 0, -most), most);
  const ofFactor = largest > 0 ? (Math.abs(factor * common) * Math.max(...spread)) / largest : 0;
  return {
    ...found,
    gap: Math.max(0, left + penalty - 2 * factor * common + factor ** 2 * left) / variation,
    gapBound: (8 * rounding * (all + penalty + Math.abs(factor) * all + ofFactor)) / variation,
  };
}

/**
 * Solves every problem by cyclic descent on the normal equations, alpha_d = soft(<f_d, y> - sum over e != d of
 * <f_d, f_e> alpha_e, lambda n / 2) / |f_d|^2, over all features in every sweep, until the gap is at most the tolerance.
 */
export function lassoReference(inputs: Inputs) {
  const { features, problems, tolerance, maxSweeps, lambda } = inputs;
  const coefficients = Float64Array.from(inputs.coefficients);
  const intercept = new Float64Array(problems);
  const sweeps = new Int32Array(problems);
  const gap = new Float64Array(problems);
  for (let b = 0; b < problems; b++) {
    const alpha = coefficients.subarray(b * features, (b + 1) * features);
    const { columns, means, response, meanResponse, variation } = problemOf(inputs, b);
    const limit = (lambda[b]! * response.length) / 2;
    const gram = columns.map((one) => Float64Array.from(columns, (other) => dot(one, other)));
    const target = columns.map((column) => dot(column, response));
    const finite = [variation, ...gram.map((row, d) => row[d]!), ...alpha].every(Number.isFinite);
    if (!finite) {
      alpha.fill(Number.NaN);
      intercept[b] = Number.NaN;
      gap[b] = Number.NaN;
      continue;
    }
    for (let d = 0; d < features; d++) if (gram[d]![d] === 0 || variation === 0) alpha[d] = 0;
    while (variation > 0) {
      gap[b] = certifyLasso(inputs, b, alpha, meanResponse - dot(alpha, means)).gap;
      if (gap[b]! <= tolerance || sweeps[b]! >= maxSweeps) break;
      let changed = false;
      for (let d = 0; d < features; d++) {
        const square = gram[d]![d]!;
        if (square === 0) continue;
        const rest = target[d]! - dot(gram[d]!, alpha) + square * alpha[d]!;
        const beyond = Math.abs(rest) - limit;
        const value = beyond > 0 ? (Math.sign(rest) * beyond) / square : 0;
        changed ||= value !== alpha[d];
        alpha[d] = value;
      }
      sweeps[b] = sweeps[b]! + 1;
      if (!changed) break;
    }
    intercept[b] = meanResponse - dot(alpha, means);
  }
  return { coefficients, intercept, sweeps, gap };
}
