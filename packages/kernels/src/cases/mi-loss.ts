import { miLoss, miLossSync } from '../mi-loss.js';
import { resolveMaps } from '../mutual-information.js';
import { miLossReference } from '../reference/mi-loss.js';
import { type KernelCase, unwritten } from './case.js';
import { firstBeyondDouble, makeMaps, mapsProblems, nameOfMaps } from './maps.js';
import { placeAnywhere } from './placement.js';

export const miLossCases: readonly KernelCase[] = mapsProblems.map((problem) => ({
  kernel: 'miLoss',
  name: nameOfMaps(problem),
  purpose: problem.purpose,
  prepare: () => {
    const x = makeMaps(problem);
    const params = resolveMaps(x, problem.templates);
    const loss = unwritten.floats(params.channels);
    return {
      bytes: x.data.byteLength + loss.byteLength,
      ...placeAnywhere((at) => {
        const maps = at.tensor(x);
        const given = { ...problem.templates, into: { loss: at.array(loss) } };
        return {
          run: async (options) => (await miLoss(maps, { ...options, ...given })).backend,
          runSync: (options) => miLossSync(maps, { ...options, ...given }).backend,
        };
      }),
      compare: () => {
        const expected = miLossReference(params, x.data, undefined);
        // The terms of a filter are log ratios of the size of log(batch), weighed by probabilities that sum to 1.
        return firstBeyondDouble('loss', loss, expected, () => Math.log(params.batch + 1));
      },
    };
  },
}));
