import { maskForward, maskForwardSync } from '../mask-forward.js';
import { maskForwardReference } from '../reference/mask-forward.js';
import { resolveMask } from '../template-mask.js';
import { firstBeyondRounding, firstDifference, unwritten } from './case.js';
import { MASK_TERMS, makeMaps, maskCases } from './masking.js';

/** The cells of the parts must be exact, masked values within rounding. */
export const maskForwardCases = maskCases(
  'maskForward',
  ['argmax', 'centroid'] as const,
  (problem, location) => {
    const { dims, shape } = problem;
    const x = { dims, data: makeMaps(problem) };
    const { params, beta } = resolveMask(dims, shape);
    const into = {
      y: unwritten.floats(x.data.length),
      mu: new Int32Array(params.batch * params.channels).fill(-1),
    };
    const options = { ...shape, location, into };
    return {
      bytes: x.data.byteLength + into.y.byteLength + into.mu.byteLength,
      run: async (execution) => (await maskForward(x, { ...execution, ...options })).backend,
      runSync: (execution) => maskForwardSync(x, { ...execution, ...options }).backend,
      compare: () => {
        const expected = maskForwardReference(params, location, x.data, beta);
        return (
          firstDifference('mu', into.mu, expected.mu) ??
          firstBeyondRounding('y', into.y, expected.y, expected.magnitude, MASK_TERMS)
        );
      },
    };
  },
);
