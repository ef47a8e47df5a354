import { sizeOf } from '@unitscope/tensor';
import { maxPoolBackward, maxPoolBackwardSync } from '../max-pool-backward.js';
import { pooledDims, resolvePooling } from '../pooling.js';
import { maxPoolBackwardReference } from '../reference/max-pool-backward.js';
import type { SignalRule } from '../signal-rule.js';
import { firstBeyondRounding, type KernelCase, makeValues, unwritten } from './case.js';
import { placeAnywhere } from './placement.js';
import { poolingCases, windowsPerCell } from './pooling.js';

/** `gradient` and `deconvnet` are each a part of `guided`. */
const TIMED: ReadonlySet<SignalRule> = new Set(['none', 'guided']);

/**
 * Sums of one term must be exact, others within rounding. No rule enlarges a distance: [x > 0] is the same on both
 * sides, and max(., 0) brings two sums no further apart.
 */
function casesOf(rule: SignalRule): KernelCase[] {
  return poolingCases('maxPoolBackward', ({ dims, window, values }) => {
    const params = resolvePooling(dims, window);
    const pooled = pooledDims(dims, params);
    const x = { dims, data: makeValues(values, sizeOf(dims), 1) };
    const dy = { dims: pooled, data: makeValues('normal', sizeOf(pooled), 2) };
    const dx = unwritten.floats(x.data.length);
    return {
      bytes: x.data.byteLength + dy.data.byteLength + dx.byteLength,
      ...placeAnywhere((at) => {
        const [placed, signal] = [at.tensor(x), at.tensor(dy)];
        const given = { rule, into: { dx: at.array(dx) } };
        return {
          run: async (options) =>
            (await maxPoolBackward(placed, signal, window, { ...options, ...given })).backend,
          runSync: (options) => maxPoolBackwardSync(placed, signal, window, { ...options, ...given }).backend,
        };
      }),
      compare: () => {
        const expected = maxPoolBackwardReference(params, rule, x.data, dy.data);
        return firstBeyondRounding('dx', dx, expected.dx, expected.magnitude, windowsPerCell(params));
      },
    };
  })
    .filter(({ purpose }) => purpose === 'conformance' || TIMED.has(rule))
    .map((each) => ({ ...each, name: `${each.name} ${rule}` }));
}

export const maxPoolBackwardCases: readonly KernelCase[] = [
  ...casesOf('none'),
  ...casesOf('gradient'),
  ...casesOf('guided'),
  ...casesOf('deconvnet'),
];
