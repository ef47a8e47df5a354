import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import type { AnyArray, AnyTensor, ArrayIn, Place, PlaceOf, TensorIn, TensorOver } from './device-buffer.js';
import { resolveMapsOf } from './maps.js';
import { mapMomentsReference } from './reference/map-moments.js';
import { outputLike } from './storage.js';

/** Where each moment of a map stands in the last axis of the result. */
export const MAP_MOMENTS = {
  mass: 0,
  meanRow: 1,
  meanColumn: 2,
  varianceRow: 3,
  varianceColumn: 4,
  covariance: 5,
} as const;

export type MapMoment = keyof typeof MAP_MOMENTS;

const COUNT = Object.keys(MAP_MOMENTS).length;

export interface MapMomentsOptions<P extends Place = 'host'> extends KernelOptions {
  /** Weights are max(x, 0), the default; or x as it is if `false`. */
  readonly rectified?: boolean;
  /** Arrays to write to instead of new ones, where those would lie. */
  readonly into?: { readonly moments?: ArrayIn<P, Float64Array> };
}

export interface MapMomentsResult<P extends Place = 'host'> {
  /** `[..., 6]`: mass, mean row, mean column, variance of rows, variance of columns, covariance (`MAP_MOMENTS`). */
  readonly moments: TensorIn<P, Float64Array>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'mapMoments'>;
  readonly result: Omit<MapMomentsResult<Place>, 'backend'>;
}

function prepare(x: AnyTensor, { rectified = true, into = {} }: MapMomentsOptions<Place>): Prepared {
  const { params, outer } = resolveMapsOf(x);
  const moments = outputLike(x.data, 'moments', into.moments, Float64Array, params.maps * COUNT);
  return {
    call: {
      kernel: 'mapMoments',
      arguments: { ...params, rectified: rectified ? 1 : 0, x: x.data, moments },
      runReference: (host) => host.moments.set(mapMomentsReference(params, rectified, host.x).moments),
    },
    result: { moments: { dims: [...outer, COUNT], data: moments } },
  };
}

/**
 * The location moments of every map, its cells weighted by w: mass S = sum(w); means (r, c) = sum(w (row, column)) / S in
 * cells counted from 0; variances sum(w (row - r)^2) / S and sum(w (column - c)^2) / S and the covariance
 * sum(w (row - r) (column - c)) / S in cells squared. sqrt(varianceRow + varianceColumn) is the spread that the released
 * code of interpretable CNNs sets its mask slope by.
 *
 * Where the mass is 0 or not finite there is no mean: the other five are NaN. A map that holds NaN has only NaN. Of weights
 * of both signs the formulas hold all the same, so a mean may lie outside the map and a variance be negative. In float64,
 * the variances about the mean and not as differences of raw moments.
 *
 * Throws `bad-input` for maps without cells. The arrays must not be transferred or written to until the promise is settled.
 *
 * @param x maps, `[..., height, width]`
 */
export function mapMoments<S extends AnyArray>(
  x: TensorOver<S>,
  options?: MapMomentsOptions<PlaceOf<S>>,
): Promise<MapMomentsResult<PlaceOf<S>>>;
export async function mapMoments(
  x: AnyTensor,
  options: MapMomentsOptions<Place> = {},
): Promise<MapMomentsResult<Place>> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: await run(call, options) };
}

/** As `mapMoments`, on the calling thread: for small work. */
export function mapMomentsSync<S extends AnyArray>(
  x: TensorOver<S>,
  options?: MapMomentsOptions<PlaceOf<S>>,
): MapMomentsResult<PlaceOf<S>>;
export function mapMomentsSync(
  x: AnyTensor,
  options: MapMomentsOptions<Place> = {},
): MapMomentsResult<Place> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: runSync(call, options) };
}
