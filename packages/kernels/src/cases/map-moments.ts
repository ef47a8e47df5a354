import { sizeOf } from '@unitscope/tensor';
import { mapMoments, mapMomentsSync } from '../map-moments.js';
import { resolveMapsOf } from '../maps.js';
import { mapMomentsReference } from '../reference/map-moments.js';
import type { KernelCase } from './case.js';
import { type LocationProblem, locationProblems, makeLocations, nameOfLocations } from './locations.js';

function momentsCase(problem: LocationProblem, rectified: boolean): KernelCase {
  return {
    kernel: 'mapMoments',
    name: `${nameOfLocations(problem)} ${rectified ? 'max(x, 0)' : 'x as it is'}`,
    purpose: problem.purpose,
    prepare: () => {
      const x = { dims: problem.dims, data: makeLocations(problem) };
      const { params } = resolveMapsOf(x);
      const into = { moments: new Float64Array(params.maps * 6).fill(-12345.5) };
      return {
        bytes: 4 * sizeOf(x.dims) + into.moments.byteLength,
        run: async (options) => (await mapMoments(x, { ...options, rectified, into })).backend,
        runSync: (options) => mapMomentsSync(x, { ...options, rectified, into }).backend,
        compare: () => {
          const { moments, bounds } = mapMomentsReference(params, rectified, x.data);
          return firstBeyondBounds(into.moments, moments, bounds);
        },
      };
    },
  };
}

/** The first moment that is further from the reference than its sums allow; NaN equals NaN. */
export function firstBeyondBounds(
  actual: Float64Array,
  expected: Float64Array,
  bounds: Float64Array,
): string | undefined {
  for (const [i, wanted] of expected.entries()) {
    const found = actual[i]!;
    if (Object.is(found, wanted) || found === wanted) continue;
    if (!(Math.abs(found - wanted) <= bounds[i]!)) {
      return `moments[${i}] is ${found}, the reference says ${wanted}, rounding allows ${bounds[i]}`;
    }
  }
  return undefined;
}

export const mapMomentsCases: readonly KernelCase[] = [true, false].flatMap((rectified) =>
  locationProblems
    .filter(({ purpose }) => rectified || purpose === 'conformance')
    .map((problem) => momentsCase(problem, rectified)),
);
