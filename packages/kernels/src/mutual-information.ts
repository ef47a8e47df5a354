import { UnitscopeError } from '@unitscope/tensor';
import type { AnyArray, AnyTensor } from './device-buffer.js';
import type { MiParams } from './kernel-arguments.js';
import { requireDims } from './pooling.js';

/** The templates of an interpretable CNN and how likely they are. */
export interface TemplateOptions {
  /** Height of a template's peak. Default 0.5 / n^2. */
  readonly tau?: number;
  /** How fast a template falls off from its peak. Default 4. */
  readonly beta?: number;
}

export interface PriorOptions extends TemplateOptions {
  /** How likely the positive templates are together. Default n^2 / (n^2 + 1): all templates are equally likely. */
  readonly alpha?: number;
  /**
   * log Z_T over more images than the batch, `[channels, n^2 + 1]`, as `RunningZ` gives it. Without it Z_T is that of
   * the batch itself.
   */
  readonly logZ?: AnyTensor;
}

/** What the kernels take for maps `x`, `[batch, channels, n, n]`; throws `bad-input` for anything else. */
export function resolveMaps(x: AnyTensor, { tau, beta = 4, alpha }: Omit<PriorOptions, 'logZ'>): MiParams {
  const [batch = 0, channels = 0, size = 0, width = 0] = x.dims;
  if (x.dims.length !== 4 || size !== width || size < 1) {
    throw new UnitscopeError(
      'bad-input',
      `x must be square maps [batch, channels, n, n], it has dims [${x.dims.join(', ')}]`,
      { subject: 'x' },
    );
  }
  requireDims('x', x, x.dims);
  const cells = size * size;
  return { batch, channels, size, tau: tau ?? 0.5 / cells, beta, alpha: alpha ?? cells / (cells + 1) };
}

/** The arguments of a Z that may be constant. */
export function resolveLogZ(
  params: MiParams,
  logZ: AnyTensor | undefined,
): { constantZ: number; logZ: AnyArray } {
  if (logZ === undefined) return { constantZ: 0, logZ: new Float32Array(0) };
  requireDims('logZ', logZ, [params.channels, params.size ** 2 + 1]);
  return { constantZ: 1, logZ: logZ.data };
}
