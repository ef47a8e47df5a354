import type { Tensor } from '@unitscope/tensor';
import type { BackendName, KernelOptions } from './backend.js';
import { type KernelCall, run, runSync } from './call.js';
import { resolveMapsOf } from './maps.js';
import { outputArray } from './pooling.js';
import { mapMomentsReference } from './reference/map-moments.js';

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

export interface MapMomentsOptions extends KernelOptions {
  /** Weights are max(x, 0), the default; or x as it is if `false`. */
  readonly rectified?: boolean;
  /** Arrays to write to instead of new ones. */
  readonly into?: { readonly moments?: Float64Array };
}

export interface MapMomentsResult {
  /** `[..., 6]`: mass, mean row, mean column, variance of rows, variance of columns, covariance (`MAP_MOMENTS`). */
  readonly moments: Tensor<Float64Array>;
  readonly backend: BackendName;
}

interface Prepared {
  readonly call: KernelCall<'mapMoments'>;
  readonly result: Omit<MapMomentsResult, 'backend'>;
}

function prepare(x: Tensor, { rectified = true, into = {} }: MapMomentsOptions): Prepared {
  const { params, outer } = resolveMapsOf(x);
  const moments = outputArray('moments', into.moments, params.maps * COUNT, (size) => new Float64Array(size));
  return {
    call: {
      kernel: 'mapMoments',
      arguments: { ...params, rectified: rectified ? 1 : 0, x: x.data, moments },
      runReference: () => moments.set(mapMomentsReference(params, rectified, x.data).moments),
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
export async function mapMoments(x: Tensor, options: MapMomentsOptions = {}): Promise<MapMomentsResult> {
  const { call, result } = prepare(x, options);
  return { ...result, backend: await run(call, options) };
}

/** As `mapMoments`, on the calling thread: for small work. */
export function mapMomentsSync(x: Tensor, options: MapMomentsOptions = {}): MapMomentsResult {
  const { call, result } = prepare(x, options);
  return { ...result, backend: runSync(call, options) };
}
