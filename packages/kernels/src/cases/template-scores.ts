import { resolveMaps } from '../mutual-information.js';
import { templateScoresReference } from '../reference/template-scores.js';
import { templateScores, templateScoresSync } from '../template-scores.js';
import { type KernelCase, unwritten } from './case.js';
import { firstBeyondDouble, makeMaps, mapsProblems, nameOfMaps } from './maps.js';

export const templateScoresCases: readonly KernelCase[] = mapsProblems.map((problem) => ({
  kernel: 'templateScores',
  name: nameOfMaps(problem),
  purpose: problem.purpose,
  prepare: () => {
    const x = makeMaps(problem);
    const params = resolveMaps(x, problem.templates);
    const cells = params.size ** 2;
    const into = { scores: unwritten.floats(params.batch * params.channels * (cells + 1)) };
    return {
      bytes: x.data.byteLength + into.scores.byteLength,
      run: async (options) => (await templateScores(x, { ...options, ...problem.templates, into })).backend,
      runSync: (options) => templateScoresSync(x, { ...options, ...problem.templates, into }).backend,
      compare: () => {
        const expected = templateScoresReference(params, x.data);
        return firstBeyondDouble('scores', into.scores, expected, (i) => {
          const map = Math.floor(i / (cells + 1)) * cells;
          return (
            params.tau * x.data.subarray(map, map + cells).reduce((sum, value) => sum + Math.abs(value), 0)
          );
        });
      },
    };
  },
}));
