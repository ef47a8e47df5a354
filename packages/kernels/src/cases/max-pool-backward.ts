import { sizeOf } from '@unitscope/tensor';
import { maxPoolBackward, maxPoolBackwardSync } from '../max-pool-backward.js';
import { pooledDims, resolvePooling } from '../pooling.js';
import { maxPoolBackwardReference } from '../reference/max-pool-backward.js';
import { firstBeyondRounding, makeValues, unwritten } from './case.js';
import { poolingCases, windowsPerCell } from './pooling.js';

/** Sums of one term must be exact, others within rounding. */
export const maxPoolBackwardCases = poolingCases('maxPoolBackward', ({ dims, window, values }) => {
  const params = resolvePooling(dims, window);
  const pooled = pooledDims(dims, params);
  const x = { dims, data: makeValues(values, sizeOf(dims), 1) };
  const dy = { dims: pooled, data: makeValues('normal', sizeOf(pooled), 2) };
  const into = { dx: unwritten.floats(x.data.length) };
  return {
    bytes: x.data.byteLength + dy.data.byteLength + into.dx.byteLength,
    run: async (options) => (await maxPoolBackward(x, dy, window, { ...options, into })).backend,
    runSync: (options) => maxPoolBackwardSync(x, dy, window, { ...options, into }).backend,
    compare: () => {
      const expected = maxPoolBackwardReference(params, x.data, dy.data);
      return firstBeyondRounding('dx', into.dx, expected.dx, expected.magnitude, windowsPerCell(params));
    },
  };
});
