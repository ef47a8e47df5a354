import { sizeOf, type Tensor } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import { resolveMaps, type TemplateOptions } from './mutual-information.js';
import { outputArray } from './pooling.js';
import { templateScoresReference } from './reference/template-scores.js';

export interface TemplateScoresOptions extends KernelOptions, TemplateOptions {
  /** Arrays to write to instead of new ones. */
  readonly into?: { readonly scores?: Float32Array };
}

export interface TemplateScoresResult {
  /** `[batch, channels, n^2 + 1]`: template mu = row * n + column of its peak; the last is the negative template. */
  readonly scores: Tensor;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'templateScores'>;
  readonly result: Omit<TemplateScoresResult, 'backend'>;
}

function prepare(x: Tensor, options: TemplateScoresOptions): Prepared {
  const params = resolveMaps(x, options);
  const dims = [params.batch, params.channels, params.size ** 2 + 1];
  const scores = outputArray('scores', options.into?.scores, sizeOf(dims), (size) => new Float32Array(size));
  return {
    call: {
      kernel: 'templateScores',
      arguments: { ...params, x: x.data, scores },
      runReference: () => scores.set(templateScoresReference(params, x.data)),
    },
    result: { scores: { dims, data: scores } },
  };
}

/**
 * How well every map fits every part template of an interpretable CNN (arXiv:1710.00935): scores = sum_ij x_ij T_ij with
 * T_mu = tau max(1 - beta |[i,j] - mu|_1 / n, -1), and -tau everywhere for the negative template.
 *
 * One correlation with a small cone by running sums, in double, rounded once. A map that holds NaN or an infinity has
 * only NaN scores. The arrays must not be transferred or written to until the promise is settled.
 *
 * @param x `[batch, channels, n, n]`, n at most 256
 */
export async function templateScores(
  x: Tensor,
  options: TemplateScoresOptions = {},
): Promise<TemplateScoresResult> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: await run(call, options) };
}

/** As `templateScores`, on the calling thread: for small work. */
export function templateScoresSync(x: Tensor, options: TemplateScoresOptions = {}): TemplateScoresResult {
  const { call, result } = prepare(x, options);
  return { ...result, backend: runSync(call, options) };
}
