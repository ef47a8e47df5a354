import { sizeOf } from '@unitscope/tensor';
import { pooledDims, resolvePooling } from '../pooling.js';
import { maxPoolReference } from '../reference/max-pool.js';
import { unpoolReference } from '../reference/unpool.js';
import { type UnpoolMode, type UnpoolOptions, unpool, unpoolSync } from '../unpool.js';
import { firstBeyondRounding, type KernelCase, makeValues, unwritten } from './case.js';
import { placeAnywhere } from './placement.js';
import { poolingCases, windowsPerCell } from './pooling.js';

/** Values over the switches of a real pooling. Sums of one term, and overwriting, must be exact. */
function casesOf(mode: UnpoolMode, rule: NonNullable<UnpoolOptions['rule']>): KernelCase[] {
  return poolingCases('unpool', ({ dims, window, values: kind }) => {
    const params = resolvePooling(dims, window);
    const pooled = pooledDims(dims, params);
    const [height = 0, width = 0] = dims.slice(-2);
    const { switches: found } = maxPoolReference(params, makeValues(kind, sizeOf(dims), 1));
    const switches = { dims: pooled, data: found };
    const y = { dims: pooled, data: makeValues('normal', found.length, 2) };
    const x = unwritten.floats(sizeOf(dims));
    return {
      bytes: y.data.byteLength + found.byteLength + x.byteLength,
      ...placeAnywhere((at) => {
        const [values, places] = [at.tensor(y), at.tensor(switches)];
        const given = { mode, rule, into: { x: at.array(x) } };
        return {
          run: async (options) =>
            (await unpool(values, places, [height, width], window, { ...options, ...given })).backend,
          runSync: (options) =>
            unpoolSync(values, places, [height, width], window, { ...options, ...given }).backend,
        };
      }),
      compare: () => {
        const expected = unpoolReference(params, mode, rule, y.data, found);
        const terms = mode === 'accumulate' ? windowsPerCell(params) : 1;
        return firstBeyondRounding('x', x, expected.x, expected.magnitude, terms);
      },
    };
  }).map((each) => ({ ...each, name: `${each.name} ${mode} ${rule}` }));
}

export const unpoolCases: readonly KernelCase[] = [
  ...casesOf('accumulate', 'none'),
  ...casesOf('overwrite', 'none'),
  ...casesOf('accumulate', 'deconvnet'),
];
