import { sizeOf } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { resolveMaps, type TemplateOptions } from './mutual-information.js';
import { templateScoresReference } from './reference/template-scores.js';
import { outputLike } from './storage.js';

export interface TemplateScoresOptions<P extends Place = 'host'> extends KernelOptions, TemplateOptions {
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly scores?: ArrayIn<P> };
}

export interface TemplateScoresResult<P extends Place = 'host'> {
  /** `[batch, channels, n^2 + 1]`: template mu = row * n + column of its peak; the last is the negative template. */
  readonly scores: TensorIn<P>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'templateScores'>;
  readonly result: Omit<TemplateScoresResult<Place>, 'backend'>;
}

function prepare(x: AnyTensor, options: TemplateScoresOptions<Place>): Prepared {
  const params = resolveMaps(x, options);
  const dims = [params.batch, params.channels, params.size ** 2 + 1];
  const scores = outputLike(x.data, 'scores', options.into?.scores, Float32Array, sizeOf(dims));
  return {
    call: {
      kernel: 'templateScores',
      arguments: { ...params, x: x.data, scores },
      runReference: (host) => host.scores.set(templateScoresReference(params, host.x)),
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
export function templateScores<S extends AnyArray>(
  x: TensorOver<S>,
  options?: TemplateScoresOptions<PlaceOf<S>>,
): Promise<TemplateScoresResult<PlaceOf<S>>>;
export async function templateScores(
  x: AnyTensor,
  options: TemplateScoresOptions<Place> = {},
): Promise<TemplateScoresResult<Place>> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: await run(call, options) };
}

/** As `templateScores`, on the calling thread: for small work. */
export function templateScoresSync<S extends AnyArray>(
  x: TensorOver<S>,
  options?: TemplateScoresOptions<PlaceOf<S>>,
): TemplateScoresResult<PlaceOf<S>>;
export function templateScoresSync(
  x: AnyTensor,
  options: TemplateScoresOptions<Place> = {},
): TemplateScoresResult<Place> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: runSync(call, options) };
}
