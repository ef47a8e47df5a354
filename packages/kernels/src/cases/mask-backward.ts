import { maskBackward, maskBackwardSync } from '../mask-backward.js';
import { maskBackwardReference } from '../reference/mask-backward.js';
import { maskForwardReference } from '../reference/mask-forward.js';
import { resolveMask } from '../template-mask.js';
import { firstBeyondRounding, makeValues, unwritten } from './case.js';
import { MASK_TERMS, makeMaps, maskCases } from './masking.js';

/** Signals through the masks of real forward passes. */
export const maskBackwardCases = maskCases(
  'maskBackward',
  ['with x', 'without x'] as const,
  (problem, variant) => {
    const { dims, shape } = problem;
    const maps = { dims, data: makeMaps(problem) };
    const { params, beta } = resolveMask(dims, shape);
    const { mu: found } = maskForwardReference(params, 'argmax', maps.data, beta);
    const mu = { dims: dims.slice(0, -2), data: found };
    const dy = { dims, data: makeValues('normal', maps.data.length, 2) };
    const into = { dx: unwritten.floats(maps.data.length) };
    const withX = variant === 'with x';
    const options = { ...shape, into, ...(withX ? { x: maps } : {}) };
    return {
      bytes: dy.data.byteLength * (withX ? 3 : 2) + found.byteLength,
      run: async (execution) => (await maskBackward(dy, mu, { ...execution, ...options })).backend,
      runSync: (execution) => maskBackwardSync(dy, mu, { ...execution, ...options }).backend,
      compare: () => {
        const x = withX ? maps.data : undefined;
        const expected = maskBackwardReference(params, dy.data, x, beta, found);
        return firstBeyondRounding('dx', into.dx, expected.dx, expected.magnitude, MASK_TERMS);
      },
    };
  },
);
