import { maskForward, maskForwardSync } from '../mask-forward.js';
import { maskForwardReference } from '../reference/mask-forward.js';
import { resolveMask } from '../template-mask.js';
import { firstBeyondRounding, firstDifference, unwritten } from './case.js';
import { MASK_TERMS, makeMaps, maskCases } from './masking.js';
import { placeAnywhere } from './placement.js';

/** The cells of the parts must be exact, masked values within rounding. */
export const maskForwardCases = maskCases(
  'maskForward',
  ['argmax', 'centroid'] as const,
  (problem, location) => {
    const { dims, shape } = problem;
    const x = { dims, data: makeMaps(problem) };
    const { params, beta } = resolveMask(dims, shape);
    const y = unwritten.floats(x.data.length);
    const mu = new Int32Array(params.batch * params.channels).fill(-1);
    return {
      bytes: x.data.byteLength + y.byteLength + mu.byteLength,
      ...placeAnywhere((at) => {
        const maps = at.tensor(x);
        const given = { ...shape, location, into: { y: at.array(y), mu: at.array(mu) } };
        return {
          run: async (options) => (await maskForward(maps, { ...options, ...given })).backend,
          runSync: (options) => maskForwardSync(maps, { ...options, ...given }).backend,
        };
      }),
      compare: () => {
        const expected = maskForwardReference(params, location, x.data, beta);
        return (
          firstDifference('mu', mu, expected.mu) ??
          firstBeyondRounding('y', y, expected.y, expected.magnitude, MASK_TERMS)
        );
      },
    };
  },
);
