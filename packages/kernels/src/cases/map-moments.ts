import { sizeOf } from '@unitscope/tensor';
import { mapMoments, mapMomentsSync } from '../map-moments.js';
import { resolveMapsOf } from '../maps.js';
import { mapMomentsReference } from '../reference/map-moments.js';
import type { KernelCase } from './case.js';
import { type LocationProblem, locationProblems, makeLocations, nameOfLocations } from './locations.js';
import { placeAnywhere } from './placement.js';

function momentsCase(problem: LocationProblem, rectified: boolean): KernelCase {
  return {
    kernel: 'mapMoments',
    name: `${nameOfLocations(problem)} ${rectified ? 'max(x, 0)' : 'x as it is'}`,
    purpose: problem.purpose,
    prepare: () => {
      const x = { dims: problem.dims, data: makeLocations(problem) };
      const { params } = resolveMapsOf(x);
      const moments = new Float64Array(params.maps * 6).fill(-12345.5);
      return {
        bytes: 4 * sizeOf(x.dims) + moments.byteLength,
        ...placeAnywhere((at) => {
          const maps = at.tensor(x);
          const given = { rectified, into: { moments: at.array(moments) } };
          return {
            run: async (options) => (await mapMoments(maps, { ...options, ...given })).backend,
            runSync: (options) => mapMomentsSync(maps, { ...options, ...given }).backend,
          };
        }),
        compare: () => {
          const expected = mapMomentsReference(params, rectified, x.data);
          return firstBeyondBounds(moments, expected.moments, expected.bounds);
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
