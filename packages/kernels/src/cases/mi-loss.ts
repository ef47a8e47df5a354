import { miLoss, miLossSync } from '../mi-loss.js';
import { resolveMaps } from '../mutual-information.js';
import { miLossReference } from '../reference/mi-loss.js';
import { type KernelCase, unwritten } from './case.js';
import { firstBeyondDouble, makeMaps, mapsProblems, nameOfMaps } from './maps.js';

export const miLossCases: readonly KernelCase[] = mapsProblems.map((problem) => ({
  kernel: 'miLoss',
  name: nameOfMaps(problem),
  purpose: problem.purpose,
  prepare: () => {
    const x = makeMaps(problem);
    const params = resolveMaps(x, problem.templates);
    const into = { loss: unwritten.floats(params.channels) };
    return {
      bytes: x.data.byteLength + into.loss.byteLength,
      run: async (options) => (await miLoss(x, { ...options, ...problem.templates, into })).backend,
      runSync: (options) => miLossSync(x, { ...options, ...problem.templates, into }).backend,
      compare: () => {
        const expected = miLossReference(params, x.data, undefined);
        // The terms of a filter are log ratios of the size of log(batch), weighed by probabilities that sum to 1.
        return firstBeyondDouble('loss', into.loss, expected, () => Math.log(params.batch + 1));
      },
    };
  },
}));
