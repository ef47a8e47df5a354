import { describe, expect, it } from 'vitest';
import { blankPicture, drawGrid, fitTile, type Picture } from '../src/index.js';

const plain = (side: number, grey: number): Picture => blankPicture(side, side, [grey, grey, grey]);
const pixel = ({ width, data }: Picture, x: number, y: number) => [
  ...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3),
];

describe('a grid', () => {
  const grid = drawGrid({
    title: 'maps',
    corner: plain(20, 50),
    columns: ['a', 'b'],
    rows: [
      {
        label: 'gradient',
        cells: [{ picture: plain(20, 100) }, { picture: plain(10, 150), caption: '0.5' }],
      },
      { label: 'other', cells: [undefined, { picture: plain(40, 200) }] },
    ],
    tileSize: 20,
  });

  it('has its tiles in rows and columns, enlarged, reduced, or left out', () => {
    // Gaps of 6; a title of one line of 10 with a gap above and below, a corner of 20.
    const [firstRow, secondRow] = [22 + 20 + 6, 22 + 20 + 6 + 20 + 12 + 6];
    expect(grid.width).toBe(6 + 3 * 26);
    expect(grid.height).toBe(secondRow + 20 + 12 + 6);
    const middle = (column: number) => 6 + column * 26 + 10;
    expect(pixel(grid, middle(0), 22 + 10)).toEqual([50, 50, 50]);
    expect(pixel(grid, middle(1), firstRow + 10)).toEqual([100, 100, 100]);
    for (const [dx, dy] of [
      [-9, 1],
      [9, 19],
    ] as const)
      expect(pixel(grid, middle(2) + dx, firstRow + dy)).toEqual([150, 150, 150]);
    expect(pixel(grid, middle(1), secondRow + 10)).toEqual([255, 255, 255]);
    expect(pixel(grid, middle(2), secondRow + 10)).toEqual([200, 200, 200]);
  });

  it('has labels and captions drawn', () => {
    const inked = (left: number, top: number, width: number, height: number) => {
      for (let y = top; y < top + height; y++)
        for (let x = left; x < left + width; x++) if (pixel(grid, x, y)[0]! < 150) return true;
      return false;
    };
    expect(inked(6, 6, 60, 10)).toBe(true);
    expect(inked(6, 48, 20, 20)).toBe(true);
    expect(inked(58, 48 + 22, 20, 10)).toBe(true);
  });

  it('fits tiles by whole factors, and smaller ones smoothly', () => {
    expect([fitTile(plain(9, 1), 20).width, fitTile(plain(15, 1), 20).width]).toEqual([18, 20]);
    expect(fitTile(plain(50, 1), 20).height).toBe(20);
    const same = plain(20, 1);
    expect(fitTile(same, 20)).toBe(same);
  });
});
