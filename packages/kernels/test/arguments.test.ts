import { type Tensor, UnitscopeError, zeros } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../src/addon.js';
import {
  maxPool,
  maxPoolBackwardSync,
  maxPoolSync,
  type PoolWindow,
  unpool,
  unpoolSync,
} from '../src/index.js';
import type { Pool2dParams } from '../src/kernel-arguments.js';

function errorOf(action: () => unknown): UnitscopeError {
  try {
    action();
  } catch (error) {
    if (error instanceof UnitscopeError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const x = zeros([1, 2, 6, 6]);
const window: PoolWindow = { kernel: 2, stride: 2 };
const switches: Tensor<Uint8Array> = { dims: [1, 2, 3, 3], data: new Uint8Array(18) };

describe('a wrong window', () => {
  it.each([
    [{ kernel: 0 }, 'wrong-use', 'kernel must be an integer of at least 1'],
    [{ kernel: 2.5 }, 'wrong-use', 'kernel must be'],
    [{ kernel: 2, stride: 0 }, 'wrong-use', 'stride must be'],
    [{ kernel: 2, dilation: -1 }, 'wrong-use', 'dilation must be'],
    [{ kernel: 2, padding: Number.NaN }, 'wrong-use', 'padding must be'],
    [{ kernel: 7 }, 'wrong-use', 'fits into planes of 6 x 6'],
    [{ kernel: 16, padding: 8 }, 'unsupported', 'at most 255 cells'],
    [{ kernel: 2, padding: 2 }, 'wrong-use', 'wholly in the padding'],
    [{ kernel: 2 ** 31 }, 'wrong-use', 'kernel must be'],
  ] as const)('%o', (wrong, code, message) => {
    const error = errorOf(() => maxPoolSync(x, wrong));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});

describe('wrong tensors', () => {
  it('names the tensor and both dims', () => {
    const error = errorOf(() => maxPoolBackwardSync(x, zeros([1, 2, 3, 4]), window));
    expect(error.code).toBe('bad-input');
    expect(error.message).toContain('dy must have dims [1, 2, 3, 3], it has [1, 2, 3, 4]');
  });

  it('rejects data that is shorter than its dims', () => {
    expect(errorOf(() => maxPoolSync({ dims: [1, 2, 6, 6], data: new Float32Array(71) }, window)).code).toBe(
      'bad-input',
    );
  });

  it('rejects a tensor without a plane', () => {
    expect(errorOf(() => maxPoolSync(zeros([6]), window)).code).toBe('bad-input');
  });

  it('rejects planes without cells', () => {
    expect(errorOf(() => maxPoolSync(zeros([2, 0, 6]), { kernel: 1 })).code).toBe('wrong-use');
  });

  it('rejects results of the wrong size', () => {
    const error = errorOf(() => maxPoolSync(x, window, { into: { y: new Float32Array(17) } }));
    expect(error.message).toContain('y to write to must have 18 elements, it has 17');
  });

  it('rejects an input that is also the output', () => {
    const data = new Float32Array(36);
    const error = errorOf(() => maxPoolSync({ dims: [6, 6], data }, { kernel: 1 }, { into: { y: data } }));
    expect(error.message).toContain('x and y overlap in memory');
  });

  it('rejects memory that was transferred away', () => {
    const data = new Float32Array(72);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    expect(errorOf(() => maxPoolSync({ dims: [1, 2, 6, 6], data }, window)).code).toBe('bad-input');
  });

  it('rejects a switch outside its window, in the padding, or of a wrong mode', async () => {
    const y = zeros([1, 2, 3, 3]);
    const outside = { dims: switches.dims, data: switches.data.slice() };
    outside.data[10] = 4;
    const error = errorOf(() => unpoolSync(y, outside, [6, 6], window));
    expect(error.code).toBe('bad-input');
    expect(error.message).toContain('switch 4 of window (0, 1) in plane 1');
    const padded: PoolWindow = { kernel: 3, stride: 2, padding: 1 };
    await expect(unpool(y, switches, [6, 6], padded)).rejects.toMatchObject({ code: 'bad-input' });
    await expect(unpool(y, outside, [6, 6], window, { backend: 'reference' })).rejects.toMatchObject({
      code: 'bad-input',
    });
    // @ts-expect-error: what a caller without types could pass
    expect(errorOf(() => unpoolSync(y, switches, [6, 6], window, { mode: 'overwite' })).message).toContain(
      'overwrite',
    );
  });

  it('rejects a signal rule that is unknown, or that unpooling has no input for', () => {
    // @ts-expect-error: what a caller without types could pass
    const unknown = errorOf(() => maxPoolBackwardSync(x, zeros([1, 2, 3, 3]), window, { rule: 'relu' }));
    expect(unknown.code).toBe('wrong-use');
    expect(unknown.message).toContain('guided');
    // @ts-expect-error: needs x
    const masked = errorOf(() =>
      unpoolSync(zeros([1, 2, 3, 3]), switches, [6, 6], window, { rule: 'guided' }),
    );
    expect(masked.code).toBe('wrong-use');
    expect(masked.message).toContain('deconvnet');
  });

  it('rejects a wrong number of threads', async () => {
    await expect(maxPool(x, window, { threads: -1 })).rejects.toMatchObject({ code: 'wrong-use' });
    await expect(maxPool(x, window, { threads: 1.5 })).rejects.toMatchObject({ code: 'wrong-use' });
  });
});

describe('the addon itself', () => {
  const params: Pool2dParams = {
    planes: 1,
    height: 2,
    width: 2,
    outHeight: 1,
    outWidth: 1,
    kernel: [2, 2],
    stride: [1, 1],
    padBegin: [0, 0],
    padEnd: [0, 0],
    dilation: [1, 1],
  };
  const arrays = { x: new Float32Array(4), y: new Float32Array(1), switches: new Uint8Array(1) };
  const good = { backend: 0, threads: 1, params, ...arrays };
  const { maxPool: kernel } = loadAddon().now;

  it('takes the good call', () => {
    expect(() => kernel(good)).not.toThrow();
  });

  it.each([
    ['nothing', undefined, 'one object of arguments'],
    ['no params', { ...good, params: 3 }, 'params must be an object'],
    ['a missing array', { ...good, x: undefined }, 'x must be a Float32Array'],
    ['a plain array', { ...good, x: [0, 0, 0, 0] }, 'x must be a Float32Array'],
    ['a wrong type', { ...good, x: new Float64Array(4) }, 'x must be a Float32Array, it is a Float64Array'],
    ['a wrong length', { ...good, x: new Float32Array(5) }, 'x must have 4 elements, it has 5'],
    [
      'a wrong output size',
      { ...good, params: { ...params, outWidth: 2 }, y: new Float32Array(2), switches: new Uint8Array(2) },
      'output width 2 does not belong',
    ],
    ['a huge size', { ...good, params: { ...params, planes: 2 ** 52 } }, 'more elements than can be counted'],
    [
      'a size beyond 32 bits',
      { ...good, params: { ...params, height: 2 ** 31 } },
      'height must be an integer from 0',
    ],
    ['a negative size', { ...good, params: { ...params, height: -1 } }, 'height must be an integer from 0'],
    ['NaN', { ...good, params: { ...params, width: Number.NaN } }, 'width must be an integer'],
    [
      'half a pair',
      { ...good, params: { ...params, kernel: [2] } },
      'kernel must be an array of two numbers',
    ],
    ['an unknown back end', { ...good, backend: 2 }, 'backend must be an integer from 0 to 1'],
  ])('rejects %s', (_, call, message) => {
    expect(() => Reflect.apply(kernel, undefined, call === undefined ? [] : [call])).toThrow(message);
  });

  it('rejects resizable memory, which could vanish under a running kernel', () => {
    const memory = Reflect.construct(ArrayBuffer, [16, { maxByteLength: 64 }]) as ArrayBuffer;
    expect(() => kernel({ ...good, x: new Float32Array(memory) })).toThrow('resizable ArrayBuffer');
  });

  it('works on shared memory and on views', () => {
    const shared = new Float32Array(new SharedArrayBuffer(20), 4);
    shared.set([1, 5, 2, 3]);
    kernel({ ...good, x: shared });
    expect(arrays.y[0]).toBe(5);
    expect(arrays.switches[0]).toBe(1);
  });
});

describe('many calls at once', () => {
  it('do not disturb each other', async () => {
    const inputs = Array.from({ length: 32 }, (_, i) => {
      const input = zeros([4, 65, 67]);
      for (let j = 0; j < input.data.length; j++) input.data[j] = Math.sin(i * 1000 + j);
      return input;
    });
    const pool: PoolWindow = { kernel: 3, stride: 2, padding: 1 };
    const together = await Promise.all(inputs.map((input) => maxPool(input, pool, { threads: 3 })));
    inputs.forEach((input, i) => {
      expect(together[i]!.y.data).toEqual(maxPoolSync(input, pool, { threads: 1 }).y.data);
    });
  });
});
