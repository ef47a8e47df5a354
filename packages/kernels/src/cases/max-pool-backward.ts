import { sizeOf } from '@unitscope/tensor';
import { maxPoolBackward, maxPoolBackwardSync } from '../max-pool-backward.js';
import { pooledDims, resolvePooling } from '../pooling.js';
import { maxPoolBackwardReference } from '../reference/max-pool-backward.js';
import { firstBeyondRounding, makeValues, unwritten } from './case.js';
import { placeAnywhere } from './placement.js';
import { poolingCases, windowsPerCell } from './pooling.js';

/** Sums of one term must be exact, others within rounding. */
export const maxPoolBackwardCases = poolingCases('maxPoolBackward', ({ dims, window, values }) => {
  const params = resolvePooling(dims, window);
  const pooled = pooledDims(dims, params);
  const x = { dims, data: makeValues(values, sizeOf(dims), 1) };
  const dy = { dims: pooled, data: makeValues('normal', sizeOf(pooled), 2) };
  const dx = unwritten.floats(x.data.length);
  return {
    bytes: x.data.byteLength + dy.data.byteLength + dx.byteLength,
    ...placeAnywhere((at) => {
      const [placed, signal] = [at.tensor(x), at.tensor(dy)];
      const into = { dx: at.array(dx) };
      return {
        run: async (options) => (await maxPoolBackward(placed, signal, window, { ...options, into })).backend,
        runSync: (options) => maxPoolBackwardSync(placed, signal, window, { ...options, into }).backend,
      };
    }),
    compare: () => {
      const expected = maxPoolBackwardReference(params, x.data, dy.data);
      return firstBeyondRounding('dx', dx, expected.dx, expected.magnitude, windowsPerCell(params));
    },
  };
});
