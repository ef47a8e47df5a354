import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cropPicture,
  RESIZE_FILTERS,
  type ResizeFilter,
  type RgbPicture,
  resizePicture,
} from '../src/index.js';
import { picture, texture } from './support/pictures.js';

const kernels: Record<
  Exclude<ResizeFilter, 'nearest'>,
  { support: number; weight: (d: number) => number }
> = {
  bilinear: { support: 1, weight: (d) => Math.max(0, 1 - d) },
  'bilinear-no-antialias': { support: 1, weight: (d) => Math.max(0, 1 - d) },
  bicubic: {
    support: 2,
    weight: (d) => {
      if (d < 1) return 1.5 * d ** 3 - 2.5 * d ** 2 + 1;
      return d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
    },
  },
};

/**
 * One value by the definition, in float64: the weighted mean of all source pixels. Undefined where a sum lies on the
 * edge between two grey levels, which fixed point may round either way.
 */
function levelByDefinition(
  source: RgbPicture,
  size: { width: number; height: number },
  filter: Exclude<ResizeFilter, 'nearest'>,
  at: { x: number; y: number; channel: number },
): number | undefined {
  const axis = (position: number, inSize: number, outSize: number): number[] => {
    const scale = inSize / outSize;
    const stretch = filter === 'bilinear-no-antialias' ? 1 : Math.max(1, scale);
    const centre = (position + 0.5) * scale - 0.5;
    const weights = Array.from({ length: inSize }, (_, i) =>
      kernels[filter].weight(Math.abs(i - centre) / stretch),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / sum);
  };
  const across = axis(at.x, source.width, size.width);
  const down = axis(at.y, source.height, size.height);
  let undecided = false;
  // Each pass ends in whole grey levels, clipped.
  const round = (sum: number): number => {
    undecided ||= Math.abs(sum - Math.floor(sum) - 0.5) < 1e-4;
    return Math.min(255, Math.max(0, Math.round(sum)));
  };
  let level = 0;
  for (const [y, wy] of down.entries()) {
    if (wy === 0) continue;
    let row = 0;
    for (const [x, wx] of across.entries()) row += wx * source.data[(y * source.width + x) * 3 + at.channel]!;
    level += wy * round(row);
  }
  const rounded = round(level);
  return undecided ? undefined : rounded;
}

describe('resizePicture', () => {
  // Made with Pillow 9.4: Image.resize((width, height), Image.BILINEAR or BICUBIC) of the 7x5 texture.
  it.each([
    ['bilinear', 1, 1, [136, 124, 122]],
    ['bicubic', 1, 1, [135, 124, 123]],
    [
      'bilinear',
      3,
      4,
      [
        49, 132, 174, 130, 161, 100, 169, 87, 106, 129, 143, 92, 157, 112, 120, 130, 143, 104, 177, 74, 119,
        124, 132, 122, 115, 128, 143, 151, 115, 158, 144, 129, 129, 126, 126, 127,
      ],
    ],
    [
      'bicubic',
      3,
      4,
      [
        36, 130, 184, 132, 173, 97, 174, 78, 104, 125, 151, 86, 168, 107, 121, 128, 146, 99, 184, 64, 119,
        119, 134, 122, 113, 129, 146, 153, 116, 161, 140, 134, 129, 127, 122, 128,
      ],
    ],
  ] as const)('gives the grey levels of Pillow: %s to %dx%d', async (filter, width, height, levels) => {
    const resized = await resizePicture(picture(7, 5, texture), { width, height }, filter);
    expect([...resized.data]).toEqual(levels);
  });

  it.each(['bilinear', 'bicubic', 'bilinear-no-antialias'] as const)(
    'agrees with the definition: %s',
    async (filter) => {
      const sizes = [
        [13, 11, 7, 17],
        [31, 5, 29, 3],
        [5, 23, 19, 7],
        [1, 9, 5, 3],
      ] as const;
      for (const [inWidth, inHeight, width, height] of sizes) {
        const source = picture(inWidth, inHeight, texture);
        const resized = await resizePicture(source, { width, height }, filter);
        let decided = 0;
        for (let i = 0; i < resized.data.length; i++) {
          const pixel = Math.floor(i / 3);
          const at = { x: pixel % width, y: Math.floor(pixel / width), channel: i % 3 };
          const level = levelByDefinition(source, { width, height }, filter, at);
          if (level === undefined) continue;
          expect(resized.data[i]).toBe(level);
          decided++;
        }
        expect(decided).toBeGreaterThan(resized.data.length * 0.8);
      }
    },
  );

  it('takes the pixel under the centre: nearest', async () => {
    const source = picture(8, 4, texture);
    const half = await resizePicture(source, { width: 4, height: 2 }, 'nearest');
    const expected = picture(4, 2, (x, y, channel) => texture(x * 2 + 1, y * 2 + 1, channel));
    expect(half).toEqual(expected);
    const twice = await resizePicture(half, { width: 8, height: 4 }, 'nearest');
    expect(twice).toEqual(
      picture(8, 4, (x, y, channel) =>
        texture(Math.floor(x / 2) * 2 + 1, Math.floor(y / 2) * 2 + 1, channel),
      ),
    );
  });

  const anySize = fc.record({
    width: fc.integer({ min: 1, max: 40 }),
    height: fc.integer({ min: 1, max: 40 }),
  });

  it('keeps a flat picture flat, whatever the sizes and the filter', async () => {
    await fc.assert(
      fc.asyncProperty(
        anySize,
        anySize,
        fc.constantFrom(...RESIZE_FILTERS),
        fc.integer({ min: 0, max: 255 }),
        async (from, to, filter, level) => {
          const resized = await resizePicture(
            picture(from.width, from.height, () => level),
            to,
            filter,
          );
          expect(resized).toEqual(picture(to.width, to.height, () => level));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('computes a window as the same window of the whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        anySize,
        anySize,
        fc.constantFrom(...RESIZE_FILTERS),
        fc.tuple(fc.nat(39), fc.nat(39), fc.nat(39), fc.nat(39)),
        async (from, full, filter, [a, b, c, d]) => {
          const top = a % full.height;
          const left = b % full.width;
          const window = {
            top,
            left,
            height: 1 + (c % (full.height - top)),
            width: 1 + (d % (full.width - left)),
          };
          const source = picture(from.width, from.height, texture);
          const part = await resizePicture(source, full, filter, { window });
          expect(part).toEqual(cropPicture(await resizePicture(source, full, filter), window));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('lets other work run during a large resize, and stops when told', async () => {
    const controller = new AbortController();
    const large = picture(3000, 1500, (x) => x % 256);
    const resizing = resizePicture(large, { width: 224, height: 224 }, 'bilinear', {
      signal: controller.signal,
    });
    setImmediate(() => controller.abort());
    await expect(resizing).rejects.toMatchObject({ code: 'aborted' });
  });
});
