import { resolveMaps } from '../mutual-information.js';
import { templateScoresReference } from '../reference/template-scores.js';
import { templateScores, templateScoresSync } from '../template-scores.js';
import { type KernelCase, unwritten } from './case.js';
import { firstBeyondDouble, makeMaps, mapsProblems, nameOfMaps } from './maps.js';
import { placeAnywhere } from './placement.js';

export const templateScoresCases: readonly KernelCase[] = mapsProblems.map((problem) => ({
  kernel: 'templateScores',
  name: nameOfMaps(problem),
  purpose: problem.purpose,
  prepare: () => {
    const x = makeMaps(problem);
    const params = resolveMaps(x, problem.templates);
    const cells = params.size ** 2;
    const scores = unwritten.floats(params.batch * params.channels * (cells + 1));
    return {
      bytes: x.data.byteLength + scores.byteLength,
      ...placeAnywhere((at) => {
        const maps = at.tensor(x);
        const given = { ...problem.templates, into: { scores: at.array(scores) } };
        return {
          run: async (options) => (await templateScores(maps, { ...options, ...given })).backend,
          runSync: (options) => templateScoresSync(maps, { ...options, ...given }).backend,
        };
      }),
      compare: () => {
        const expected = templateScoresReference(params, x.data);
        return firstBeyondDouble('scores', scores, expected, (i) => {
          const map = Math.floor(i / (cells + 1)) * cells;
          return (
            params.tau * x.data.subarray(map, map + cells).reduce((sum, value) => sum + Math.abs(value), 0)
          );
        });
      },
    };
  },
}));
