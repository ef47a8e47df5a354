import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blankPicture, colorMap, overlayMap, type Picture } from '../src/index.js';

const photo: Picture = {
  width: 4,
  height: 3,
  channels: 3,
  data: Uint8Array.from({ length: 36 }, (_, i) => (i * 41) % 256),
};
const map = (height: number, width: number, values: readonly number[]) => ({
  dims: [1, height, width],
  data: Float32Array.from(values),
});

describe('overlayMap', () => {
  it('leaves the photo alone without opacity, and where the map is low', () => {
    const hot = map(1, 1, [1]);
    expect(overlayMap(photo, hot, { opacity: 0 })).toEqual(photo);
    expect(overlayMap(photo, map(1, 1, [0]))).toEqual(photo);
  });

  it('covers the photo at full opacity', () => {
    const top = [...colorMap('viridis').subarray(765)];
    const covered = overlayMap(photo, map(2, 2, [3, 3, 3, 3]), { opacity: 1, colorMap: 'viridis' });
    expect([...covered.data]).toEqual(Array.from({ length: 12 }, () => top).flat());
    const bottom = [...colorMap('viridis').subarray(0, 3)];
    const even = overlayMap(photo, map(1, 1, [0]), { opacity: 1, colorMap: 'viridis', blend: 'even' });
    expect([...even.data]).toEqual(Array.from({ length: 12 }, () => bottom).flat());
  });

  it('mixes photo and heat by the opacity, evenly or by value', () => {
    const black = blankPicture(3, 1, [0, 0, 0]);
    const ramp = map(1, 3, [0, 1, 2]);
    const options = { opacity: 0.5, percentile: 100, colorMap: 'greys' } as const;
    expect([...overlayMap(black, ramp, { ...options, blend: 'even' }).data]).toEqual([
      0, 0, 0, 64, 64, 64, 128, 128, 128,
    ]);
    expect([...overlayMap(black, ramp, options).data]).toEqual([0, 0, 0, 32, 32, 32, 128, 128, 128]);
  });

  it('resizes the map to the photo bilinearly', () => {
    const black = blankPicture(4, 1, [0, 0, 0]);
    const options = { opacity: 1, percentile: 100, colorMap: 'greys', blend: 'even' } as const;
    const { data } = overlayMap(black, map(1, 2, [0, 100]), options);
    expect([...data].filter((_, i) => i % 3 === 0)).toEqual([0, 64, 191, 255]);
  });

  it('takes grey and transparent photos', () => {
    const grey: Picture = { width: 2, height: 1, channels: 1, data: Uint8Array.of(10, 200) };
    expect([...overlayMap(grey, map(1, 1, [0])).data]).toEqual([10, 10, 10, 200, 200, 200]);
  });

  it('gives a valid picture of any finite map of any size', () => {
    const sides = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }));
    const value = fc.float({ noNaN: true, noDefaultInfinity: true });
    const anyMap = sides.chain(([height, width]) =>
      fc
        .array(value, { minLength: height * width, maxLength: height * width })
        .map((values) => map(height, width, values)),
    );
    fc.assert(
      fc.property(anyMap, fc.double({ min: 0, max: 1, noNaN: true }), (tensor, opacity) => {
        const { data, ...shape } = overlayMap(photo, tensor, { opacity });
        expect(shape).toEqual({ width: 4, height: 3, channels: 3 });
        // Between the photo and the extremes of any colour: nothing wraps around.
        for (const [i, level] of data.entries()) {
          const before = photo.data[i]!;
          expect(level).toBeGreaterThanOrEqual(Math.floor(before * (1 - opacity)));
          expect(level).toBeLessThanOrEqual(Math.ceil(before + (255 - before) * opacity));
        }
      }),
    );
  });

  it('refuses what it cannot draw', () => {
    expect(() => overlayMap(photo, map(1, 2, [1, Number.NaN]))).toThrow(/NaN at element 1/);
    for (const opacity of [-0.1, 1.1, Number.NaN]) {
      expect(() => overlayMap(photo, map(1, 1, [1]), { opacity })).toThrow(
        expect.objectContaining({ code: 'wrong-use' }),
      );
    }
  });
});
