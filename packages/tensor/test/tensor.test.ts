import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  concatBatch,
  didYouMean,
  indexOfNonFinite,
  Random,
  sizeOf,
  sliceBatch,
  stridesOf,
  tensor,
  UnitscopeError,
  unknownName,
  zeros,
} from '../src/index.js';

describe('tensor', () => {
  it('refuses data that does not fill its dims', () => {
    expect(() => tensor(new Float32Array(5), [2, 3])).toThrow('need 6 elements, the data has 5');
  });

  it.each([[[-1]], [[1.5]], [[2 ** 30, 2 ** 30]], [[Number.NaN]]])('refuses dims %j', (dims) => {
    expect(() => sizeOf(dims)).toThrow(UnitscopeError);
  });

  it('has size 1 without axes and 0 with an empty one', () => {
    expect(sizeOf([])).toBe(1);
    expect(sizeOf([3, 0, 2])).toBe(0);
  });

  it('addresses elements by its strides', () => {
    expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
  });

  it('joins what it sliced', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(5), fc.nat(4), (count, cut, width) => {
        const batch = new Random(count).normalTensor([count, width, 2]);
        const at = Math.min(cut, count);
        const joined = concatBatch([sliceBatch(batch, 0, at), sliceBatch(batch, at, count)]);
        expect(joined).toEqual(batch);
      }),
    );
  });

  it('refuses to join tensors of other sizes', () => {
    expect(() => concatBatch([zeros([1, 2]), zeros([1, 3])])).toThrow('cannot be joined');
  });

  it('finds the first value that is not finite', () => {
    fc.assert(
      fc.property(
        fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 1 }),
        fc.nat(),
        fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
        (data, at, bad) => {
          expect(indexOfNonFinite(data)).toBe(-1);
          const spoiled = data.slice();
          spoiled[at % data.length] = bad;
          expect(indexOfNonFinite(spoiled)).toBe(at % data.length);
        },
      ),
    );
  });

  it('is not misled by the largest values, nor by infinities of opposite sign', () => {
    for (const array of [Float32Array, Float64Array]) {
      const largest = array === Float32Array ? 3.4028234663852886e38 : Number.MAX_VALUE;
      expect(indexOfNonFinite(array.from({ length: 11 }, () => largest))).toBe(-1);
      expect(indexOfNonFinite(array.of(1, 2, 1 / 0, -1 / 0, 3))).toBe(2);
    }
  });
});

describe('errors', () => {
  it('are one line', () => {
    expect(new UnitscopeError('bad-file', 'first\n  second').message).toBe('first second');
  });

  it('name the alternative a slip away', () => {
    expect(unknownName('layer', 'conv9', ['conv1', 'conv5', 'fc6']).message).toMatch(
      /^no layer "conv9"; did you mean "conv[15]"\?$/,
    );
    expect(unknownName('method', 'guidedbackprop', ['gradient', 'guided-backprop']).message).toBe(
      'no method "guidedbackprop"; did you mean "guided-backprop"?',
    );
  });

  it('list the alternatives when none is near, and bound the list', () => {
    expect(didYouMean('zzz', ['gradient', 'deconvnet'])).toBeUndefined();
    const many = Array.from({ length: 100 }, (_, i) => `layer_number_${i}`);
    expect(unknownName('layer', '?', many).message).toContain('(100 in all)');
  });
});

describe('Random', () => {
  it('repeats itself for a seed and differs for another', () => {
    const draw = (seed: number) => new Random(seed).normalTensor([8]).data;
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('draws normal numbers of the mean and deviation asked for', () => {
    const { data } = new Random(1).normalTensor([20000], 3, 2);
    const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
    const deviation = Math.sqrt(data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length);
    // Five standard errors of each estimate.
    expect(Math.abs(mean - 3)).toBeLessThan((5 * 2) / Math.sqrt(20000));
    expect(Math.abs(deviation - 2)).toBeLessThan((5 * 2) / Math.sqrt(2 * 20000));
  });
});
