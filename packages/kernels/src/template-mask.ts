import { sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';
import type { MaskParams } from './kernel-arguments.js';

/**
 * The cone a template is: `height * max(1 - beta * d / n, -1)` at an L1 distance of d cells from the part, on maps of
 * n x n cells.
 */
export interface TemplateShape {
  /**
   * How fast the cone falls, of all channels or of each; the mask ends n / beta cells from the part. Default 4, the
   * paper's. The released code's slope w on a grid linspace(-1, 1, n) is `betaOfReleasedSlope(w, n)`.
   */
  readonly beta?: number | Float32Array;
  /** 1, the default, keeps the scale of the map; `tau`, which is 0.5 / n^2, is the height of the paper. */
  readonly height?: number | 'tau';
}

const MAX_SIZE = 46340;

/**
 * The beta of the released code's mask `max(1 - w * (|dy| + |dx|), -1)` on a grid linspace(-1, 1, n), whose cells lie
 * 2 / (n - 1) apart: 2 w n / (n - 1). For n = 1 there is no slope, and the answer is 0.
 */
export function betaOfReleasedSlope(w: number, size: number): number {
  return size > 1 ? (2 * w * size) / (size - 1) : 0;
}

function requireSlope(beta: number): void {
  if (!(beta >= 0) || !Number.isFinite(beta)) {
    throw new UnitscopeError('wrong-use', `beta must be finite and at least 0, it is ${beta}`, {
      subject: 'beta',
    });
  }
}

function heightOf(height: number | 'tau', size: number): number {
  const value = Math.fround(height === 'tau' ? 0.5 / size ** 2 : height);
  if (!(value > 0) || !Number.isFinite(value)) {
    throw new UnitscopeError('wrong-use', `height must be "tau" or finite and above 0, it is ${height}`, {
      subject: 'height',
    });
  }
  return value;
}

/**
 * The shape over maps of `dims`, `[..., channels, n, n]`, with a slope for every channel. Throws `bad-input` for dims that
 * are no square maps and `wrong-use` for a shape that is none.
 */
export function resolveMask(
  dims: readonly number[],
  { beta = 4, height = 1 }: TemplateShape,
): { readonly params: MaskParams; readonly beta: Float32Array } {
  const [size = 0, width = 0] = dims.slice(-2);
  if (dims.length < 3 || size !== width || size < 1 || size > MAX_SIZE) {
    throw new UnitscopeError(
      'bad-input',
      `templates need square maps [..., channels, n, n] with n from 1 to ${MAX_SIZE}, not dims [${dims.join(', ')}]`,
    );
  }
  const channels = dims.at(-3) ?? 0;
  const slopes = typeof beta === 'number' ? new Float32Array(channels).fill(beta) : beta;
  if (typeof beta === 'number') requireSlope(beta);
  if (slopes.length !== channels) {
    throw new UnitscopeError(
      'bad-input',
      `beta must be one number or have ${channels} elements, one of each channel, it has ${slopes.length}`,
      { subject: 'beta' },
    );
  }
  slopes.forEach(requireSlope);
  const batch = sizeOf(dims.slice(0, -3));
  return { params: { batch, channels, size, height: heightOf(height, size) }, beta: slopes };
}

/**
 * All positive templates, `[n * n, n, n]`, the part's cell mu in row-major order (Zhang, Wu and Zhu, CVPR 2018):
 * T_mu[i,j] = height * max(1 - beta * (|i - mu_i| + |j - mu_j|) / n, -1). The negative template is -height everywhere.
 * For looking at and for computing elsewhere: `maskForward` makes what it needs as it goes.
 *
 * Throws `wrong-use` for a size, height or beta that is out of range. `height` is the paper's tau by default.
 */
export function templateBank(
  size: number,
  { beta = 4, height = 'tau' }: { readonly beta?: number; readonly height?: number | 'tau' } = {},
): Tensor {
  if (!Number.isInteger(size) || size < 1) {
    throw new UnitscopeError('wrong-use', `size must be an integer of at least 1, it is ${size}`, {
      subject: 'size',
    });
  }
  requireSlope(beta);
  const { fround } = Math;
  const peak = heightOf(height, size);
  const dims = [size * size, size, size];
  const data = new Float32Array(sizeOf(dims));
  // By distance, each operation rounded to float32: the bits the kernels give.
  const values = Float32Array.from({ length: 2 * size - 1 }, (_, distance) => {
    const slope = fround(fround(size - fround(fround(beta) * distance)) / size);
    return peak * Math.max(slope, -1);
  });
  let at = 0;
  for (let mu = 0; mu < size * size; mu++) {
    for (let row = 0; row < size; row++) {
      const rows = Math.abs(row - Math.floor(mu / size));
      for (let column = 0; column < size; column++) {
        data[at++] = values[rows + Math.abs(column - (mu % size))]!;
      }
    }
  }
  return { dims, data };
}
