import { sizeOf } from '@unitscope/tensor';
import { maxPool, maxPoolSync } from '../max-pool.js';
import { pooledDims, resolvePooling } from '../pooling.js';
import { maxPoolReference } from '../reference/max-pool.js';
import { firstDifference, makeValues, unwritten } from './case.js';
import { placeAnywhere } from './placement.js';
import { poolingCases } from './pooling.js';

/** Maxima and switches must be exact. */
export const maxPoolCases = poolingCases('maxPool', ({ dims, window, values }) => {
  const params = resolvePooling(dims, window);
  const x = { dims, data: makeValues(values, sizeOf(dims), 1) };
  const windows = sizeOf(pooledDims(dims, params));
  const y = unwritten.floats(windows);
  const switches = unwritten.bytes(windows);
  return {
    bytes: x.data.byteLength + y.byteLength + switches.byteLength,
    ...placeAnywhere((at) => {
      const placed = at.tensor(x);
      const into = { y: at.array(y), switches: at.array(switches) };
      return {
        run: async (options) => (await maxPool(placed, window, { ...options, into })).backend,
        runSync: (options) => maxPoolSync(placed, window, { ...options, into }).backend,
      };
    }),
    compare: () => {
      const expected = maxPoolReference(params, x.data);
      return firstDifference('y', y, expected.y) ?? firstDifference('switches', switches, expected.switches);
    },
  };
});
