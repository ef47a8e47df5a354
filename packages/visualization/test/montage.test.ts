import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blankPicture, type Color, montage, type Picture } from '../src/index.js';

const red: Color = [200, 0, 0];
const green: Color = [0, 200, 0];

/** The rectangle that holds every pixel of a colour, and how many there are. */
function extentOf({ width, data }: Picture, [r, g, b]: Color) {
  const found = { left: Infinity, top: Infinity, right: -1, bottom: -1, count: 0 };
  for (let pixel = 0; pixel * 3 < data.length; pixel++) {
    if (data[pixel * 3] !== r || data[pixel * 3 + 1] !== g || data[pixel * 3 + 2] !== b) continue;
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    found.left = Math.min(found.left, x);
    found.right = Math.max(found.right, x);
    found.top = Math.min(found.top, y);
    found.bottom = Math.max(found.bottom, y);
    found.count++;
  }
  return found;
}

describe('montage', () => {
  it('enlarges small pictures by a whole factor, in blocks', () => {
    const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) =>
      Math.floor(i / 3) === 0 ? red[i % 3]! : 90,
    );
    const sheet = montage([{ picture: { width: 32, height: 32, channels: 3, data }, label: '' }], {
      tileSize: 100,
    });
    // 32 goes into 100 three times: the one red pixel is a block of 3x3, the picture 96x96 and centred.
    const block = extentOf(sheet, red);
    expect([block.right - block.left, block.bottom - block.top, block.count]).toEqual([2, 2, 9]);
    expect(block.left).toBe(6 + 2);
    expect(extentOf(sheet, [90, 90, 90])).toMatchObject({
      left: block.left,
      right: block.left + 95,
      top: block.top,
    });
  });

  it('keeps the shape of wide and high pictures and centres them', () => {
    const sheet = montage(
      [
        { picture: blankPicture(400, 100, red), label: '' },
        { picture: blankPicture(50, 200, green), label: '' },
      ],
      { tileSize: 80 },
    );
    const wide = extentOf(sheet, red);
    const high = extentOf(sheet, green);
    expect([wide.right - wide.left + 1, wide.bottom - wide.top + 1]).toEqual([80, 20]);
    expect([high.right - high.left + 1, high.bottom - high.top + 1]).toEqual([20, 80]);
    expect(wide.top + wide.bottom).toBe(high.top + high.bottom);
    expect(high.left - wide.right - 1).toBe(6 + 30);
  });

  it('fills row after row', () => {
    const tile = (color: Color) => ({ picture: blankPicture(8, 8, color), label: 'a' });
    const colours = Array.from({ length: 5 }, (_, i): Color => [10 + i, 0, 0]);
    const sheet = montage(colours.map(tile), { columns: 2, tileSize: 16 });
    const extents = colours.map((color) => extentOf(sheet, color));
    expect(extents.every(({ count }) => count === 256)).toBe(true);
    expect(extents.map(({ left }) => left)).toEqual([6, 28, 6, 28, 6]);
    const [first, , third, , fifth] = extents.map(({ top }) => top);
    expect(third! - first!).toBe(fifth! - third!);
    expect(third! - first!).toBeGreaterThan(16 + 10);
  });

  it('picks even rows of at most five', () => {
    const columnsOf = (count: number): number => {
      const sheet = montage(
        Array.from({ length: count }, () => ({ picture: blankPicture(4, 4, red), label: '' })),
        { tileSize: 10 },
      );
      return (sheet.width - 6) / 16;
    };
    expect([1, 2, 5, 6, 7, 8, 10, 11].map(columnsOf)).toEqual([1, 2, 5, 3, 4, 4, 5, 4]);
  });

  it('writes labels below and the title above, in ink that stands out', () => {
    for (const [background, ink] of [
      [
        [255, 255, 255],
        [24, 24, 24],
      ],
      [
        [20, 20, 30],
        [240, 240, 240],
      ],
    ] as const) {
      const tiles = [{ picture: blankPicture(40, 40, red), label: 'saliency' }];
      const plain = montage(tiles, { tileSize: 80, background });
      const below = extentOf(plain, ink);
      const picture = extentOf(plain, red);
      expect(below.count).toBeGreaterThan(50);
      expect(below.top).toBeGreaterThan(picture.bottom);
      expect(Math.abs(below.left + below.right - picture.left - picture.right)).toBeLessThanOrEqual(2);

      const titled = montage(tiles, { tileSize: 80, background, title: 'net.onnx\ncat 0.9' });
      expect(titled.height - plain.height).toBe(2 * 10 + 6);
      expect(extentOf(titled, ink).top).toBeLessThan(extentOf(titled, red).top);
      expect(extentOf(titled, red).top - picture.top).toBe(26);
    }
  });

  it('keeps line breaks of labels, and makes long words small instead of breaking them', () => {
    const heightOf = (label: string) =>
      montage([{ picture: blankPicture(160, 160, red), label }], { tileSize: 160 }).height;
    const one = heightOf('bird');
    expect(heightOf('bird\nfinch') - one).toBe(20);
    expect(heightOf('input-times-gradient') - one).toBe(20);
    // 14 characters where 13 fit: one line of half the size.
    expect(heightOf('deconvolutions') - one).toBe(-10);
    // What nothing makes fit is cut off after six small lines.
    expect(heightOf('x'.repeat(1000)) - one).toBe(6 * 10 - 20);
  });

  it('lays transparency on the background', () => {
    const clear: Picture = { width: 2, height: 2, channels: 4, data: new Uint8Array(16) };
    const sheet = montage([{ picture: clear, label: '' }], { tileSize: 20, background: green });
    expect(extentOf(sheet, green).count).toBe(sheet.width * sheet.height);
  });

  it('gives a valid picture of any pictures and labels', () => {
    const side = fc.integer({ min: 1, max: 60 });
    const tile = fc.record({
      picture: fc.tuple(side, side).map(([width, height]) => blankPicture(width, height, red)),
      label: fc.string({ unit: 'grapheme', maxLength: 40 }),
    });
    fc.assert(
      fc.property(
        fc.array(tile, { minLength: 1, maxLength: 7 }),
        fc.record(
          {
            columns: fc.integer({ min: 1, max: 9 }),
            tileSize: fc.constantFrom(1, 7, 40, 170),
            title: fc.string(),
          },
          { requiredKeys: [] },
        ),
        (tiles, options) => {
          const { width, height, data, channels } = montage(tiles, options);
          expect(channels).toBe(3);
          expect(data).toHaveLength(width * height * 3);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuses what cannot be laid out', () => {
    const tiles = [{ picture: blankPicture(4, 4, red), label: '' }];
    expect(() => montage([])).toThrow('a montage needs at least one picture');
    for (const options of [{ columns: 0 }, { tileSize: 0 }, { tileSize: 2.5 }, { tileSize: 1e6 }]) {
      expect(() => montage(tiles, options)).toThrow(expect.objectContaining({ code: 'wrong-use' }));
    }
  });
});
