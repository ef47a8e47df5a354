import { maskBackward, maskBackwardSync } from '../mask-backward.js';
import { maskBackwardReference } from '../reference/mask-backward.js';
import { maskForwardReference } from '../reference/mask-forward.js';
import { resolveMask } from '../template-mask.js';
import { firstBeyondRounding, makeValues, unwritten } from './case.js';
import { MASK_TERMS, makeMaps, maskCases } from './masking.js';
import { placeAnywhere } from './placement.js';

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
    const dx = unwritten.floats(maps.data.length);
    const withX = variant === 'with x';
    return {
      bytes: dy.data.byteLength * (withX ? 3 : 2) + found.byteLength,
      ...placeAnywhere((at) => {
        const [signal, places] = [at.tensor(dy), at.tensor(mu)];
        const given = { ...shape, into: { dx: at.array(dx) }, ...(withX ? { x: at.tensor(maps) } : {}) };
        return {
          run: async (options) => (await maskBackward(signal, places, { ...options, ...given })).backend,
          runSync: (options) => maskBackwardSync(signal, places, { ...options, ...given }).backend,
        };
      }),
      compare: () => {
        const x = withX ? maps.data : undefined;
        const expected = maskBackwardReference(params, dy.data, x, beta, found);
        return firstBeyondRounding('dx', dx, expected.dx, expected.magnitude, MASK_TERMS);
      },
    };
  },
);
