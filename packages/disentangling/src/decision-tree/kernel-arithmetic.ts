import { type KernelOptions, lasso, matmul } from '@unitscope/kernels';
import { sizeOf } from '@unitscope/tensor';
import type { TreeArithmetic } from './arithmetic.js';
import type { TreeSamples } from './samples.js';

export interface KernelArithmeticOptions extends KernelOptions {
  /** Of `lasso`: the duality gap at which a rationale is found; 1e-6 by default. */
  readonly tolerance?: number;
  /** The most sweeps for one rationale; 1000 by default. */
  readonly maxSweeps?: number;
}

/** By the kernels `lasso` and `matmul`; samples and products are rounded to float32. */
export function kernelArithmetic(
  samples: TreeSamples,
  { tolerance = 1e-6, maxSweeps = 1000, ...kernel }: KernelArithmeticOptions = {},
): TreeArithmetic {
  const { filters } = samples;
  const pictures = samples.y.length;
  const x = { dims: [pictures, filters], data: Float32Array.from(samples.x) };
  const g = { dims: [pictures, filters], data: Float32Array.from(samples.g) };
  const y = { dims: [pictures], data: Float32Array.from(samples.y) };
  return {
    fit: async (problems) => {
      if (problems.length === 0) return [];
      const dims = [problems.length, filters];
      const scale = new Float32Array(sizeOf(dims));
      const offsets = new Int32Array(problems.length + 1);
      for (const [i, { gradient, members }] of problems.entries()) {
        scale.set(gradient, i * filters);
        offsets[i + 1] = offsets[i]! + members.length;
      }
      const start = new Float64Array(sizeOf(dims)).fill(1);
      const { coefficients, intercept } = await lasso(
        x,
        y,
        {
          scale: { dims, data: scale },
          offsets,
          member: Int32Array.from(problems.flatMap(({ members }) => members)),
          lambda: Float64Array.from(problems, ({ lambda }) => lambda),
        },
        { ...kernel, tolerance, maxSweeps, into: { coefficients: { dims, data: start } } },
      );
      return problems.map((_, i) => ({
        alpha: coefficients.data.slice(i * filters, (i + 1) * filters),
        b: intercept.data[i]!,
      }));
    },
    products: async (rows) => {
      if (rows.length === 0) return [];
      const a = { dims: [rows.length, filters], data: new Float32Array(rows.length * filters) };
      for (const [i, row] of rows.entries()) a.data.set(row, i * filters);
      const by = async (matrix: typeof x) =>
        (await matmul(a, matrix, { ...kernel, transposeB: true })).c.data;
      const [withX, withG] = [await by(x), await by(g)];
      const row = (all: Float32Array, i: number) =>
        Float64Array.from(all.subarray(i * pictures, (i + 1) * pictures));
      return rows.map((_, i) => ({ x: row(withX, i), g: row(withG, i) }));
    },
  };
}
