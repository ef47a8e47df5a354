import { Random, UnitscopeError } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { drawProjections, type Picture, type ProjectedPicture, type Window } from '../src/index.js';

const PICTURE_SIDE = 10;
const picture: Picture = {
  width: PICTURE_SIDE,
  height: PICTURE_SIDE,
  channels: 3,
  // Row and column can be read from a pixel.
  data: Uint8Array.from({ length: 300 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return [10 * Math.floor(pixel / PICTURE_SIDE), 10 * (pixel % PICTURE_SIDE), 7][i % 3]!;
  }),
};

function projected(frame: Window, inside = frame, values?: Float32Array): ProjectedPicture {
  const dims = [3, frame.height, frame.width];
  const data = values ?? new Random(frame.top + 50).normalTensor(dims).data;
  return { patch: { dims, data }, field: { frame, inside }, picture };
}

const pixel = ({ width, data }: Picture, x: number, y: number) => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];

// Without title and labels the first block begins at the margin; a field of 4 pixels is drawn 24 times as large.
const [MARGIN, FACTOR, CELL, GAP] = [14, 24, 96, 2];

describe('the figure of projections', () => {
  it('shows the projection beside exactly what the unit saw', () => {
    const frame = { top: 3, left: 5, height: 4, width: 4 };
    const values = new Float32Array(48);
    values[0] = 2;
    values[1] = -2;
    values[16 + 2] = 1;
    const figure = drawProjections([{ label: '', pictures: [projected(frame, frame, values)] }]);
    expect([figure.width, figure.height]).toEqual([2 * CELL + 3 * GAP + 2 * MARGIN, CELL + 2 * MARGIN]);
    for (let y = 0; y < 4; y++) {
      for (let x = 0; x < 4; x++) {
        const at = (offset: number) =>
          pixel(figure, MARGIN + offset + x * FACTOR + 11, MARGIN + y * FACTOR + 11);
        expect(at(CELL + 3 * GAP)).toEqual([10 * (3 + y), 10 * (5 + x), 7]);
        if (y > 0 || x > 2) expect(at(0)).toEqual([128, 128, 128]);
      }
    }
    const first = (x: number) => pixel(figure, MARGIN + x * FACTOR + 11, MARGIN + 11);
    // 99.5 % of 48 magnitudes lies between the two largest, which are equal.
    expect([first(0), first(1), first(2)]).toEqual([
      [255, 128, 128],
      [0, 128, 128],
      [128, 191, 128],
    ]);
    const bgr = drawProjections([{ label: '', pictures: [projected(frame, frame, values)] }], {
      channelOrder: 'bgr',
    });
    expect(pixel(bgr, MARGIN + 11, MARGIN + 11)).toEqual([128, 128, 255]);
  });

  it.each<[string, Window, Window]>([
    ['upper left', { top: -2, left: -1, height: 4, width: 4 }, { top: 0, left: 0, height: 2, width: 3 }],
    ['lower right', { top: 8, left: 7, height: 4, width: 4 }, { top: 8, left: 7, height: 2, width: 3 }],
  ])('marks what lies beyond the %s corner in both halves', (_, frame, inside) => {
    const figure = drawProjections([{ label: '', pictures: [projected(frame, inside)] }]);
    for (let y = 0; y < 4; y++) {
      for (let x = 0; x < 4; x++) {
        const [row, column] = [frame.top + y, frame.left + x];
        const isInside = row >= 0 && row < PICTURE_SIDE && column >= 0 && column < PICTURE_SIDE;
        const at = (offset: number) =>
          pixel(figure, MARGIN + offset + x * FACTOR + 11, MARGIN + y * FACTOR + 11);
        expect(at(CELL + 3 * GAP)).toEqual(isInside ? [10 * row, 10 * column, 7] : [226, 226, 230]);
        if (!isInside) expect(at(0)).toEqual([226, 226, 230]);
      }
    }
  });

  it('keeps a place for every picture, the strongest at the top left', () => {
    const frames = [0, 1, 2, 3].map((top) => ({ top, left: 0, height: 4, width: 4 }));
    const figure = drawProjections([{ label: '', pictures: frames.map((frame) => projected(frame)) }], {
      top: 9,
    });
    const square = 3 * (CELL + GAP) - GAP;
    expect([figure.width, figure.height]).toEqual([2 * square + 3 * GAP + 2 * MARGIN, square + 2 * MARGIN]);
    const rowOf = (place: number) => {
      const x = MARGIN + square + 3 * GAP + (place % 3) * (CELL + GAP) + 11;
      return pixel(figure, x, MARGIN + Math.floor(place / 3) * (CELL + GAP) + 11);
    };
    expect([0, 1, 2, 3].map((place) => rowOf(place)[0])).toEqual([0, 10, 20, 30]);
    expect(rowOf(4)).toEqual([255, 255, 255]);
  });

  it('stays within a screen for many units, and takes fields larger than its cells', () => {
    const one = projected({ top: 0, left: 0, height: 10, width: 10 });
    const units = Array.from({ length: 16 }, (_, i) => ({ label: `unit ${i}`, pictures: [one] }));
    const figure = drawProjections(units, { top: 9, title: 'units' });
    expect(figure.width).toBeLessThanOrEqual(2400);
    expect(figure.width / figure.height).toBeGreaterThan(0.5);
    expect(figure.width / figure.height).toBeLessThan(2);
    const frame = { top: 0, left: 0, height: 300, width: 200 };
    const large = { width: 200, height: 300, channels: 3, data: new Uint8Array(180_000) } as const;
    const patch = { dims: [3, 300, 200], data: new Float32Array(180_000) };
    const single = drawProjections([
      { label: '', pictures: [{ patch, field: { frame, inside: frame }, picture: large }] },
    ]);
    expect([single.width, single.height]).toEqual([2 * 160 + 3 * GAP + 2 * MARGIN, 160 + 2 * MARGIN]);
    // No signal is grey, and a tall field is centred in its cell.
    expect(pixel(single, MARGIN + 80, MARGIN + 80)).toEqual([128, 128, 128]);
    expect(pixel(single, MARGIN + 10, MARGIN + 80)).toEqual([255, 255, 255]);
  });

  it('refuses nothing to draw, and too little room', () => {
    const two = [0, 1].map((top) => projected({ top, left: 0, height: 4, width: 4 }));
    expect(() => drawProjections([{ label: 'unit 0', pictures: [] }])).toThrow(UnitscopeError);
    expect(() => drawProjections([{ label: '', pictures: two }], { top: 1 })).toThrow('no room for the 2');
    expect(() => drawProjections([{ label: '', pictures: two }], { columns: 0.5 })).toThrow('columns 0.5');
  });
});
