import { UnitscopeError, unknownName } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { type PriorOptions, resolveLogZ, resolveMaps } from './mutual-information.js';
import { requireDims } from './pooling.js';
import { miGradientReference } from './reference/mi-gradient.js';
import { releasedGradientReference } from './reference/released-gradient.js';
import { outputLike } from './storage.js';

/**
 * Which gradient of the filter loss.
 *
 * - `exact`: of `miLoss`, Z_T differentiated
 * - `frozen`: Z_T a constant, the paper's
 * - `one-template`: of `frozen` only the term of the template at a map's first maximum, or of the negative template for
 *   an image outside the filter's category; a map of zeros gets zeros
 * - `released`: what the authors' published code adds to the gradient instead
 */
export type MiMode = 'exact' | 'frozen' | 'one-template' | 'released';

const MODES = { exact: 0, frozen: 1, 'one-template': 2, released: 3 } as const satisfies Record<
  MiMode,
  number
>;

/** What only the mode `released` reads. */
export interface ReleasedOptions {
  /** The slope of each filter's mask, `[channels]`. Default 2, where the code starts. */
  readonly slopes?: AnyTensor;
  /** The mean size of the gradient over a filter's positives and over its negatives. Default 1e-6, the code's first epoch. */
  readonly magnitude?: number;
  /** Default 1. */
  readonly positiveWeight?: number;
  /** Default 1. */
  readonly negativeWeight?: number;
}

export interface MiGradientOptions<P extends Place = 'host'>
  extends KernelOptions,
    PriorOptions,
    ReleasedOptions {
  /** Default `exact`. */
  readonly mode?: MiMode;
  /**
   * `[batch, channels]`, 1 where the image is of the filter's category, else 0: needed by `one-template` and `released`.
   */
  readonly targets?: AnyTensor<Uint8Array>;
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly dx?: ArrayIn<P> };
}

export interface MiGradientResult<P extends Place = 'host'> {
  /** `[batch, channels, n, n]`: subtract it to raise the mutual information. */
  readonly dx: TensorIn<P>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'miGradient'>;
  readonly result: Omit<MiGradientResult<Place>, 'backend'>;
}

function resolveTargets(
  x: AnyTensor,
  mode: MiMode,
  targets: AnyTensor<Uint8Array> | undefined,
): AnyArray<Uint8Array> {
  if (mode !== 'one-template' && mode !== 'released') return new Uint8Array(0);
  if (targets === undefined) {
    throw new UnitscopeError(
      'wrong-use',
      `the mode ${mode} needs targets, which say whether an image is of a filter's category`,
      { subject: 'targets' },
    );
  }
  requireDims('targets', targets, x.dims.slice(0, 2));
  return targets.data;
}

function resolveSlopes(channels: number, mode: MiMode, slopes: AnyTensor | undefined): AnyArray {
  if (mode !== 'released') return new Float32Array(0);
  if (slopes === undefined) return new Float32Array(channels).fill(2);
  requireDims('slopes', slopes, [channels]);
  return slopes.data;
}

function prepare(x: AnyTensor, options: MiGradientOptions<Place>): Prepared {
  const { mode = 'exact', magnitude = 1e-6, positiveWeight = 1, negativeWeight = 1 } = options;
  if (MODES[mode] === undefined)
    throw unknownName('gradient mode', String(mode), Object.keys(MODES), 'wrong-use');
  const params = resolveMaps(x, options);
  const targets = resolveTargets(x, mode, options.targets);
  const slopes = resolveSlopes(params.channels, mode, options.slopes);
  const z = resolveLogZ(params, options.logZ);
  const dx = outputLike(x.data, 'dx', options.into?.dx, Float32Array, x.data.length);
  const released = { magnitude, positiveWeight, negativeWeight };
  return {
    call: {
      kernel: 'miGradient',
      arguments: { ...params, mode: MODES[mode], ...released, x: x.data, targets, slopes, ...z, dx },
      runReference: (host) =>
        host.dx.set(
          mode === 'released'
            ? releasedGradientReference(params, released, host.x, host.targets, host.slopes)
            : miGradientReference(
                params,
                mode,
                host.x,
                host.targets,
                z.constantZ === 1 ? host.logZ : undefined,
              ).dx,
        ),
    },
    result: { dx: { dims: x.dims, data: dx } },
  };
}

/**
 * The gradient of the filter loss of an interpretable CNN with respect to the maps (arXiv:1710.00935, equation 11). With
 * r_T = log(p(x|T) / p(x)) it is dx_ij = -sum_T p(T) p(x|T) T_ij (r_T - sum_x' p(x'|T) r_T(x')), the inner sum being 0
 * where Z_T is a constant. The sum over the templates is one correlation with a small cone.
 *
 * In double and in the log domain, rounded once. A filter with a map that holds NaN or an infinity gets NaN; in
 * `released` so does the filter `channels - 1 - c`, since the code pairs maps with each other's masks. The arrays must
 * not be transferred or written to until the promise is settled.
 *
 * @param x `[batch, channels, n, n]`, n at most 256
 */
export function miGradient<S extends AnyArray>(
  x: TensorOver<S>,
  options?: MiGradientOptions<PlaceOf<S>>,
): Promise<MiGradientResult<PlaceOf<S>>>;
export async function miGradient(
  x: AnyTensor,
  options: MiGradientOptions<Place> = {},
): Promise<MiGradientResult<Place>> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: await run(call, options) };
}

/** As `miGradient`, on the calling thread: for small work. */
export function miGradientSync<S extends AnyArray>(
  x: TensorOver<S>,
  options?: MiGradientOptions<PlaceOf<S>>,
): MiGradientResult<PlaceOf<S>>;
export function miGradientSync(
  x: AnyTensor,
  options: MiGradientOptions<Place> = {},
): MiGradientResult<Place> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: runSync(call, options) };
}
