import { sizeOf } from '@unitscope/tensor';
import { maxPool, maxPoolSync } from '../max-pool.js';
import { pooledDims, resolvePooling } from '../pooling.js';
import { maxPoolReference } from '../reference/max-pool.js';
import { firstDifference, makeValues, unwritten } from './case.js';
import { poolingCases } from './pooling.js';

/** Maxima and switches must be exact. */
export const maxPoolCases = poolingCases('maxPool', ({ dims, window, values }) => {
  const params = resolvePooling(dims, window);
  const x = { dims, data: makeValues(values, sizeOf(dims), 1) };
  const windows = sizeOf(pooledDims(dims, params));
  const into = { y: unwritten.floats(windows), switches: unwritten.bytes(windows) };
  return {
    bytes: x.data.byteLength + into.y.byteLength + into.switches.byteLength,
    run: async (options) => (await maxPool(x, window, { ...options, into })).backend,
    runSync: (options) => maxPoolSync(x, window, { ...options, into }).backend,
    compare: () => {
      const expected = maxPoolReference(params, x.data);
      return (
        firstDifference('y', into.y, expected.y) ??
        firstDifference('switches', into.switches, expected.switches)
      );
    },
  };
});
