import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blankPicture, type Picture, scalePicture, toRgb } from '../src/index.js';
import { paste } from '../src/picture.js';

const side = fc.integer({ min: 1, max: 30 });
const channelCount = fc.constantFrom(1 as const, 3 as const, 4 as const);
const anyPicture: fc.Arbitrary<Picture> = fc
  .tuple(side, side, channelCount)
  .chain(([width, height, channels]) =>
    fc
      .uint8Array({ minLength: width * height * channels, maxLength: width * height * channels })
      .map((data) => ({ width, height, channels, data })),
  );
const grey = (width: number, height: number, levels: readonly number[]): Picture => ({
  width,
  height,
  channels: 1,
  data: Uint8Array.from(levels),
});

describe('toRgb', () => {
  it('repeats grey, keeps RGB, lays transparency on the background', () => {
    expect([...toRgb(grey(2, 1, [0, 9])).data]).toEqual([0, 0, 0, 9, 9, 9]);
    const rgb = blankPicture(2, 2, [1, 2, 3]);
    expect(toRgb(rgb)).toBe(rgb);
    const clear: Picture = {
      width: 3,
      height: 1,
      channels: 4,
      data: Uint8Array.of(9, 8, 7, 255, 9, 8, 7, 0, 0, 0, 0, 51),
    };
    expect([...toRgb(clear).data]).toEqual([9, 8, 7, 255, 255, 255, 204, 204, 204]);
    expect([...toRgb(clear, [100, 0, 50]).data]).toEqual([9, 8, 7, 100, 0, 50, 80, 0, 40]);
  });

  it('refuses a picture whose bytes do not fit its size', () => {
    expect(() => toRgb({ width: 2, height: 2, channels: 3, data: new Uint8Array(11) })).toThrow(
      'a picture of 2x2 with 3 channels cannot have 11 bytes',
    );
    expect(() => toRgb({ width: 0, height: 2, channels: 3, data: new Uint8Array(0) })).toThrow(
      expect.objectContaining({ code: 'bad-input' }),
    );
  });
});

describe('scalePicture', () => {
  it('enlarges to blocks: nearest', () => {
    const blocks = scalePicture(grey(2, 2, [1, 2, 3, 4]), { width: 4, height: 6 }, 'nearest');
    const rows = [1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4, 3, 3, 4, 4];
    expect(blocks).toEqual(grey(4, 6, rows));
  });

  it('goes straight from centre to centre: bilinear', () => {
    // Centres of the four at -0.25, 0.25, 0.75 and 1.25 source pixels; beyond the outer centres the edge repeats.
    const row = scalePicture(grey(2, 1, [0, 100]), { width: 4, height: 1 }, 'bilinear');
    expect([...row.data]).toEqual([0, 25, 75, 100]);
  });

  it('averages over what a reduction leaves out: bilinear', () => {
    const levels = [0, 0, 0, 80, 160, 0, 0, 240];
    const [level] = scalePicture(grey(8, 1, levels), { width: 2, height: 1 }, 'bilinear').data;
    // Output 0 has its centre at 1.5 and reaches 4 pixels: 0 to 5 count 5/8, 7/8, 7/8, 5/8, 3/8, 1/8 over 28/8.
    expect(level).toBe(Math.round((80 * 5 + 160 * 3) / 28));
  });

  it('keeps the range, and a flat picture flat, at any size', () => {
    fc.assert(
      fc.property(
        anyPicture,
        side,
        side,
        fc.constantFrom('nearest', 'bilinear'),
        (picture, width, height, filter) => {
          const scaled = scalePicture(picture, { width, height }, filter);
          expect(scaled).toMatchObject({ width, height, channels: picture.channels });
          expect(scaled.data).toHaveLength(width * height * picture.channels);
          expect(Math.min(...scaled.data)).toBeGreaterThanOrEqual(Math.min(...picture.data));
          expect(Math.max(...scaled.data)).toBeLessThanOrEqual(Math.max(...picture.data));
        },
      ),
    );
  });

  it('refuses sizes that are none', () => {
    for (const width of [0, -3, 1.5, 2 ** 20]) {
      expect(() => scalePicture(grey(1, 1, [0]), { width, height: 1000 }, 'nearest')).toThrow(
        expect.objectContaining({ code: 'wrong-use' }),
      );
    }
  });
});

describe('paste', () => {
  it('puts every pixel where it belongs and cuts off what lies outside', () => {
    fc.assert(
      fc.property(
        anyPicture,
        fc.integer({ min: -35, max: 35 }),
        fc.integer({ min: -35, max: 35 }),
        (picture, left, top) => {
          const canvas = blankPicture(17, 13, [1, 2, 3]);
          paste(canvas, picture, left, top);
          const rgb = toRgb(picture);
          const expected = blankPicture(17, 13, [1, 2, 3]);
          for (let y = 0; y < 13; y++) {
            for (let x = 0; x < 17; x++) {
              const inside = x >= left && y >= top && x < left + rgb.width && y < top + rgb.height;
              const from = ((y - top) * rgb.width + x - left) * 3;
              if (inside) expected.data.set(rgb.data.subarray(from, from + 3), (y * 17 + x) * 3);
            }
          }
          expect(canvas).toEqual(expected);
        },
      ),
    );
  });
});
