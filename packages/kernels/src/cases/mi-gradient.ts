import { type MiMode, miGradient, miGradientSync } from '../mi-gradient.js';
import { resolveMaps } from '../mutual-information.js';
import { miGradientReference } from '../reference/mi-gradient.js';
import { releasedGradientReference } from '../reference/released-gradient.js';
import { type KernelCase, unwritten } from './case.js';
import { firstBeyondDouble, makeMaps, makeTargets, mapsProblems, nameOfMaps } from './maps.js';
import { placeAnywhere } from './placement.js';

const RELEASED = { magnitude: 0.25, positiveWeight: 0.5, negativeWeight: 2 };

function casesOf(mode: MiMode): KernelCase[] {
  return mapsProblems.map((problem) => ({
    kernel: 'miGradient',
    name: `${nameOfMaps(problem)} ${mode}`,
    purpose: problem.purpose,
    prepare: () => {
      const x = makeMaps(problem);
      const targets = makeTargets(problem);
      const params = resolveMaps(x, problem.templates);
      const slopes = {
        dims: [params.channels],
        data: new Float32Array(params.channels).map((_, c) => 2 + c / 8),
      };
      const dx = unwritten.floats(x.data.length);
      return {
        bytes: x.data.byteLength + dx.byteLength,
        ...placeAnywhere((at) => {
          const maps = at.tensor(x);
          const of = { targets: at.tensor(targets), slopes: at.tensor(slopes), into: { dx: at.array(dx) } };
          const given = { ...problem.templates, ...RELEASED, mode, ...of };
          return {
            run: async (options) => (await miGradient(maps, { ...options, ...given })).backend,
            runSync: (options) => miGradientSync(maps, { ...options, ...given }).backend,
          };
        }),
        compare: () => {
          if (mode === 'released') {
            const expected = releasedGradientReference(params, RELEASED, x.data, targets.data, slopes.data);
            // A mask passes through 0, where its rounding is that of its height of 1. Where the strengths of a list
            // nearly cancel, dividing by their mean enlarges the gradients and their rounding alike.
            const cells = params.size ** 2;
            const largest = Float64Array.from({ length: params.batch * params.channels }, (_, map) =>
              expected
                .subarray(map * cells, (map + 1) * cells)
                .reduce((most, v) => Math.max(most, Math.abs(v)), 0),
            );
            return firstBeyondDouble('dx', dx, expected, (i) => largest[Math.floor(i / cells)]!);
          }
          const { dx: gradient, magnitude } = miGradientReference(
            params,
            mode,
            x.data,
            targets.data,
            undefined,
          );
          return firstBeyondDouble('dx', dx, gradient, (i) => magnitude[i]!);
        },
      };
    },
  }));
}

export const miGradientCases: readonly KernelCase[] = [
  ...casesOf('exact'),
  ...casesOf('frozen'),
  ...casesOf('one-template'),
  ...casesOf('released'),
];
