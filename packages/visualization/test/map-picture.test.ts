import type { Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  COLOR_MAP_NAMES,
  colorMap,
  flattenChannels,
  heatPicture,
  normaliseMap,
  signedPicture,
} from '../src/index.js';

const map = (dims: readonly number[], values: Iterable<number>): Tensor => ({
  dims,
  data: Float32Array.from(values),
});

/** Finite float32 of every magnitude: the extremes, denormals, both zeros. */
const finite = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ min: -1, max: 1, noNaN: true }),
  fc.constantFrom(0, -0, 1.401298464324817e-45, 3.4028234663852886e38, -3.4028234663852886e38),
);
const anyMap = fc
  .tuple(fc.constantFrom(1, 3), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.boolean())
  .chain(([channels, height, width, batched]) => {
    const size = channels * height * width;
    return fc
      .array(finite, { minLength: size, maxLength: size })
      .map((values) => map([...(batched ? [1] : []), channels, height, width], values));
  });

describe('normaliseMap', () => {
  it('sets 0 to zero and 1 to the percentile of a map without negative values', () => {
    const { values, low, high } = normaliseMap(map([1, 1, 5], [0, 1, 2, 3, 4]), { percentile: 75 });
    expect([low, high]).toEqual([0, 3]);
    expect([...values]).toEqual([0, 1 / 3, 2 / 3, 1, 1].map(Math.fround));
    expect(normaliseMap(map([1, 5], [2, 2, 3, 3, 4]), { percentile: 100 }).low).toBe(0);
  });

  it('interpolates the percentile between ranks, as numpy does', () => {
    // numpy.percentile([0, 1, 10, 100], 90) = 73.0
    expect(normaliseMap(map([2, 2], [100, 0, 1, 10]), { percentile: 90 }).high).toBeCloseTo(73, 12);
    const hundred = Array.from({ length: 101 }, (_, i) => i);
    expect(normaliseMap(map([1, 101], hundred)).high).toBeCloseTo(99.5, 12);
  });

  it('begins at the opposite percentile where that is negative', () => {
    const { values, low, high } = normaliseMap(map([1, 1, 5], [-8, -4, 0, 4, 8]), { percentile: 75 });
    expect([low, high]).toEqual([-4, 4]);
    expect([...values]).toEqual([0, 0, 0.5, 1, 1]);
  });

  it('shows a map that is zero but for a few pixels', () => {
    const sparse = new Float32Array(1000);
    sparse[7] = 5;
    const { values, high } = normaliseMap(map([1, 10, 100], sparse));
    expect(high).toBe(5);
    expect(values[7]).toBe(1);
    expect(values.filter((value) => value === 0)).toHaveLength(999);
  });

  it.each([
    [0, 0],
    [3, 1],
    [-3, 0],
    [1.4e-45, 1],
    [3.4e38, 1],
  ])('makes a constant map flat: %d', (value, expected) => {
    expect([...normaliseMap(map([1, 2, 3], new Float32Array(6).fill(value))).values]).toEqual(
      new Array(6).fill(expected),
    );
  });

  it('takes the largest magnitude over the channels, but keeps the sign of a single one', () => {
    expect([...flattenChannels(map([1, 3, 1, 2], [1, -2, -5, 1, 3, 0])).data]).toEqual([5, 2]);
    expect([...flattenChannels(map([1, 1, 2], [-5, 1])).data]).toEqual([-5, 1]);
  });

  it('refuses what is no map', () => {
    const cases = [
      [map([2, 1, 2, 2], new Float32Array(8)), /not of \[2, 1, 2, 2\]/],
      [map([4], new Float32Array(4)), /not of \[4\]/],
      [map([1, 2, 2], new Float32Array(3)), /with 3 values/],
      [map([1, 0, 4], []), /\[1, 0, 4\] has no pixels/],
      [map([1, 2, 2], [0, 1, Number.NaN, 2]), /NaN at element 2; it must be finite/],
      [map([1, 2, 2], [0, 1, 2, Infinity]), /Infinity at element 3/],
    ] as const;
    for (const [bad, message] of cases) {
      for (const show of [normaliseMap, heatPicture, signedPicture]) {
        expect(() => show(bad)).toThrow(message);
        expect(() => show(bad)).toThrow(expect.objectContaining({ code: 'bad-input' }));
      }
    }
    for (const percentile of [0, -1, 100.1, Number.NaN]) {
      expect(() => normaliseMap(map([1, 1], [1]), { percentile })).toThrow(
        expect.objectContaining({ code: 'wrong-use' }),
      );
    }
  });
});

describe('heatPicture', () => {
  it('looks every value up in the colour map', () => {
    const table = colorMap('magma');
    const { data, width, height } = heatPicture(map([1, 2, 2], [0, 1, 2, 5]), {
      colorMap: 'magma',
      percentile: 100,
    });
    expect([width, height]).toEqual([2, 2]);
    const expected = [0, 51, 102, 255].flatMap((entry) => [...table.subarray(entry * 3, entry * 3 + 3)]);
    expect([...data]).toEqual(expected);
  });

  it('gives a valid picture of any finite map', () => {
    fc.assert(
      fc.property(anyMap, fc.constantFrom(...COLOR_MAP_NAMES), (tensor, name) => {
        const { values, low, high } = normaliseMap(tensor);
        expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
        expect(low).toBeLessThanOrEqual(high);
        const picture = heatPicture(tensor, { colorMap: name });
        const [height, width] = tensor.dims.slice(-2);
        expect(picture).toMatchObject({ width, height, channels: 3 });
        expect(picture.data).toHaveLength(width! * height! * 3);
        const colours = new Set(
          Array.from({ length: 256 }, (_, i) => String(colorMap(name).subarray(i * 3, i * 3 + 3))),
        );
        for (let i = 0; i < picture.data.length; i += 3) {
          expect(colours).toContain(String(picture.data.subarray(i, i + 3)));
        }
      }),
    );
  });

  it('keeps the order of the values', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 2, maxLength: 40 }), (list) => {
        const tensor = map([1, 1, list.length], list);
        const { values } = normaliseMap(tensor);
        for (let i = 1; i < list.length; i++) {
          if (tensor.data[i]! >= tensor.data[i - 1]!)
            expect(values[i]).toBeGreaterThanOrEqual(values[i - 1]!);
          else expect(values[i]).toBeLessThanOrEqual(values[i - 1]!);
        }
      }),
    );
  });
});

describe('signedPicture', () => {
  it('makes colours around mid-grey of three channels', () => {
    // Planes red, green, blue of two pixels; the largest magnitude is 4.
    const planes = map([1, 3, 1, 2], [4, 0, -4, 2, 0, -1]);
    const options = { percentile: 100 };
    expect([...signedPicture(planes, options).data]).toEqual([255, 0, 128, 128, 191, 96]);
    expect([...signedPicture(planes, { ...options, channelOrder: 'bgr' }).data]).toEqual([
      128, 0, 255, 96, 191, 128,
    ]);
  });

  it('makes blue, white and red of one channel, symmetric around zero', () => {
    const table = colorMap('blue-white-red');
    const { data } = signedPicture(map([1, 4], [-1, 0, 1, 2]), { percentile: 100 });
    const expected = [64, 128, 191, 255].flatMap((entry) => [...table.subarray(entry * 3, entry * 3 + 3)]);
    expect([...data]).toEqual(expected);
  });

  it('shows a map of zeros flat and a sparse one not', () => {
    expect(new Set(signedPicture(map([3, 4, 4], new Float32Array(48))).data)).toEqual(new Set([128]));
    const sparse = new Float32Array(3000);
    sparse[5] = -1e-30;
    const { data } = signedPicture(map([3, 10, 100], sparse));
    expect(data[15]).toBe(0);
    expect(data.filter((level) => level === 128)).toHaveLength(2999);
  });

  it('turns over with the sign of any finite map', () => {
    fc.assert(
      fc.property(anyMap, (tensor) => {
        fc.pre(tensor.dims.at(-3) === 3);
        const picture = signedPicture(tensor);
        const turned = signedPicture({ dims: tensor.dims, data: tensor.data.map((value) => -value) });
        expect(picture.data).toHaveLength(tensor.data.length);
        // Mid-grey is 127.5: both signs round up at exact halves, so the pair may sum to 256.
        for (const [i, level] of picture.data.entries())
          expect([255, 256]).toContain(level + turned.data[i]!);
      }),
    );
  });

  it('refuses two channels, with the remedy', () => {
    expect(() => signedPicture(map([2, 1, 1], [1, 2]))).toThrow('the map has 2; show it as a heat map');
  });
});
