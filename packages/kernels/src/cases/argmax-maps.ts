import { sizeOf } from '@unitscope/tensor';
import { argmaxMaps, argmaxMapsSync, type MapTies } from '../argmax-maps.js';
import { resolveMapsOf } from '../maps.js';
import { argmaxMapsReference } from '../reference/argmax-maps.js';
import { firstDifference, type KernelCase, unwritten } from './case.js';
import { type LocationProblem, locationProblems, makeLocations, nameOfLocations } from './locations.js';
import { placeAnywhere } from './placement.js';

function argmaxCase(problem: LocationProblem, ties: MapTies): KernelCase {
  return {
    kernel: 'argmaxMaps',
    name: `${nameOfLocations(problem)} ${ties}`,
    purpose: problem.purpose,
    prepare: () => {
      const x = { dims: problem.dims, data: makeLocations(problem) };
      const { params } = resolveMapsOf(x);
      const index = new Int32Array(params.maps).fill(-1);
      const value = unwritten.floats(params.maps);
      return {
        bytes: 4 * sizeOf(x.dims) + index.byteLength + value.byteLength,
        ...placeAnywhere((at) => {
          const maps = at.tensor(x);
          const given = { ties, into: { index: at.array(index), value: at.array(value) } };
          return {
            run: async (options) => (await argmaxMaps(maps, { ...options, ...given })).backend,
            runSync: (options) => argmaxMapsSync(maps, { ...options, ...given }).backend,
          };
        }),
        compare: () => {
          const expected = argmaxMapsReference(params, ties, x.data);
          return (
            firstDifference('index', index, expected.index) ?? firstDifference('value', value, expected.value)
          );
        },
      };
    },
  };
}

export const argmaxMapsCases: readonly KernelCase[] = (['row-major', 'column-major'] as const).flatMap(
  (ties) => locationProblems.map((problem) => argmaxCase(problem, ties)),
);
