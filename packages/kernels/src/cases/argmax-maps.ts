import { sizeOf } from '@unitscope/tensor';
import { argmaxMaps, argmaxMapsSync, type MapTies } from '../argmax-maps.js';
import { resolveMapsOf } from '../maps.js';
import { argmaxMapsReference } from '../reference/argmax-maps.js';
import { firstDifference, type KernelCase, unwritten } from './case.js';
import { type LocationProblem, locationProblems, makeLocations, nameOfLocations } from './locations.js';

function argmaxCase(problem: LocationProblem, ties: MapTies): KernelCase {
  return {
    kernel: 'argmaxMaps',
    name: `${nameOfLocations(problem)} ${ties}`,
    purpose: problem.purpose,
    prepare: () => {
      const x = { dims: problem.dims, data: makeLocations(problem) };
      const { params } = resolveMapsOf(x);
      const into = { index: new Int32Array(params.maps).fill(-1), value: unwritten.floats(params.maps) };
      return {
        bytes: 4 * sizeOf(x.dims) + into.index.byteLength + into.value.byteLength,
        run: async (options) => (await argmaxMaps(x, { ...options, ties, into })).backend,
        runSync: (options) => argmaxMapsSync(x, { ...options, ties, into }).backend,
        compare: () => {
          const expected = argmaxMapsReference(params, ties, x.data);
          return (
            firstDifference('index', into.index, expected.index) ??
            firstDifference('value', into.value, expected.value)
          );
        },
      };
    },
  };
}

export const argmaxMapsCases: readonly KernelCase[] = (['row-major', 'column-major'] as const).flatMap(
  (ties) => locationProblems.map((problem) => argmaxCase(problem, ties)),
);
