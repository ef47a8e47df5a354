import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeRuns,
  formatRuns,
  parseRuns,
  polygonRegion,
  type Region,
  regionPainter,
  runRegion,
} from '../src/fill-region.js';
import { labelMapOf, readCoco } from '../src/index.js';
import { temporaryFolder } from './support/pictures.js';

const folder = temporaryFolder();

/** COCO's compressed text of runs, written from its definition. */
function compress(runs: readonly number[]): string {
  return runs
    .map((run, i) => {
      let value = i > 2 ? run - runs[i - 2]! : run;
      let text = '';
      for (let more = true; more; ) {
        const bits = value & 31;
        value >>= 5;
        more = (bits & 16) !== 0 ? value !== -1 : value !== 0;
        text += String.fromCharCode((more ? bits | 32 : bits) + 48);
      }
      return text;
    })
    .join('');
}

const GOOD = {
  images: [
    { id: 7, file_name: 'a.png', width: 6, height: 4 },
    { id: 'b', file_name: 'b.png', width: 6, height: 4 },
  ],
  categories: [
    { id: 3, name: 'beak', supercategory: 'part' },
    { id: 1, name: 'bird', supercategory: 'creature', keypoints: ['head', 'tail'] },
    { id: 9, name: 'stone' },
  ],
  annotations: [
    // Small regions lie on large ones, whatever their order.
    { image_id: 7, category_id: 1, bbox: [1, 1, 2, 2], segmentation: [[1, 1, 3, 1, 3, 3, 1, 3]] },
    {
      image_id: 7,
      category_id: 1,
      bbox: [0, 0, 6, 4],
      segmentation: { size: [4, 6], counts: [0, 24] },
      keypoints: [1, 2, 2, 5, 3, 1],
    },
    { image_id: 7, category_id: 3, segmentation: { size: [4, 6], counts: compress([20, 4]) } },
    { image_id: 'b', category_id: 9, bbox: [2, 1, 3, 2] },
  ],
};

const write = (name: string, value: unknown) => {
  writeFileSync(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
  return join(folder, name);
};

describe('a COCO file', () => {
  it('is read', async () => {
    const set = await readCoco(write('good.json', GOOD));
    expect(set.table).toEqual({
      categories: ['creature', 'part', 'object'],
      labels: [
        { index: 1, name: 'bird', category: 'creature' },
        { index: 2, name: 'beak', category: 'part' },
        { index: 3, name: 'stone', category: 'object' },
      ],
      pixelLayers: ['creature', 'part', 'object'],
      imageLayers: [],
    });
    expect(set.landmarkNames).toEqual(['head', 'tail']);
    expect(set.objectCategories).toEqual(['bird', 'beak', 'stone']);
    expect(set.examples.map(({ id }) => id)).toEqual(['a.png', 'b.png']);
    const { pixelLabels, objects } = await set.examples[0]!.annotate();
    expect([...labelMapOf(pixelLabels[0]!).data]).toEqual(new Array(24).fill(1));
    expect([...labelMapOf(pixelLabels[1]!).data]).toEqual(
      Array.from({ length: 24 }, (_, i) => (i % 6 === 5 ? 2 : 0)),
    );
    expect(pixelLabels[2]).toBeUndefined();
    expect(objects).toEqual([
      { category: 'bird', box: { left: 1, top: 1, width: 2, height: 2 }, landmarks: [] },
      {
        category: 'bird',
        box: { left: 0, top: 0, width: 6, height: 4 },
        landmarks: [{ name: 'head', x: 1, y: 2 }],
      },
    ]);
    const other = await set.examples[1]!.annotate();
    expect(other.objects[0]!.category).toBe('stone');
  });

  it('paints smaller regions over larger ones of the same layer', async () => {
    const categories = [
      { id: 1, name: 'large', supercategory: 'thing' },
      { id: 2, name: 'small', supercategory: 'thing' },
    ];
    const region = (category_id: number, segmentation: number[][]) => ({
      image_id: 7,
      category_id,
      segmentation,
    });
    const file = {
      ...GOOD,
      categories,
      annotations: [region(2, [[1, 1, 3, 1, 3, 3, 1, 3]]), region(1, [[0, 0, 6, 0, 6, 4, 0, 4]])],
    };
    const set = await readCoco(write('layers.json', file));
    const { pixelLabels } = await set.examples[0]!.annotate();
    expect([...labelMapOf(pixelLabels[0]!).data.subarray(6, 12)]).toEqual([1, 2, 2, 1, 1, 1]);
  });

  it.each<[string, unknown, string]>([
    ['no JSON', '{', 'is not JSON'],
    ['a list', [], 'is wrong'],
    [
      'a wrong field',
      { ...GOOD, images: [{ ...GOOD.images[0], width: 'wide' }] },
      'field images.0.width is wrong',
    ],
    ['no images', { ...GOOD, images: [], annotations: [] }, 'it lists no images'],
    ['an unknown category', { ...GOOD, categories: GOOD.categories.slice(1) }, 'there is no category 3'],
    ['an unknown image', { ...GOOD, images: GOOD.images.slice(1) }, 'there is no image 7'],
    ['equal ids', { ...GOOD, images: [GOOD.images[0], GOOD.images[0]] }, 'two images have one id'],
    [
      'equal names',
      { ...GOOD, images: [GOOD.images[0], { ...GOOD.images[1], file_name: 'a.png' }] },
      'two images have one file_name',
    ],
    [
      'a way out',
      { ...GOOD, images: [{ ...GOOD.images[0], file_name: '../a.png' }, GOOD.images[1]] },
      'not inside',
    ],
    [
      'an absolute path',
      { ...GOOD, images: [{ ...GOOD.images[0], file_name: '/a' }, GOOD.images[1]] },
      'not inside',
    ],
    [
      'a huge image',
      { ...GOOD, images: [{ ...GOOD.images[0], width: 1e9 }, GOOD.images[1]] },
      'is said to be',
    ],
  ])('is refused with %s', async (name, file, message) => {
    await expect(readCoco(write(`${name}.json`, file))).rejects.toThrow(message);
  });

  it.each<[string, unknown, string]>([
    ['of another size', { segmentation: { size: [4, 5], counts: [20] } }, 'does not make 6x4 pixels'],
    ['too long', { segmentation: { size: [4, 6], counts: [20, 5] } }, 'does not make 6x4 pixels'],
    ['no text', { segmentation: { size: [4, 6], counts: '\u0001' } }, 'does not make 6x4 pixels'],
    ['keypoints', { bbox: [0, 0, 1, 1], keypoints: [1, 2, 2] }, 'has 1 keypoints, its category names 2'],
  ])('names a picture whose annotation is wrong: %s', async (name, wrong, message) => {
    const annotations = [{ image_id: 7, category_id: 1, ...(wrong as object) }];
    const set = await readCoco(write(`wrong-${name}.json`, { ...GOOD, annotations }));
    await expect(set.examples[0]!.annotate()).rejects.toThrow(message);
    await expect(set.examples[0]!.annotate()).rejects.toThrow('a.png');
  });
});

describe('regions', () => {
  const size = fc.record({ width: fc.integer({ min: 1, max: 12 }), height: fc.integer({ min: 1, max: 12 }) });

  /** The pixels of a region, in the order of their numbers; as many as it says. */
  const pixelsOf = (region: Region): number[] => {
    const { width, height } = region;
    const all = (count: number) => Int32Array.from({ length: count }, (_, i) => i);
    const map = new Int32Array(width * height);
    regionPainter({ rows: all(height), columns: all(width) }, region)(region, 1, map);
    const pixels = [...map.keys()].filter((pixel) => map[pixel] === 1);
    expect(region.area).toBe(pixels.length);
    return pixels;
  };

  it('of polygons are the pixels whose middle a ray crosses the edge for an odd number of times', () => {
    const corner = fc.integer({ min: -8, max: 64 }).map((value) => value / 4 + 0.125);
    fc.assert(
      fc.property(size, fc.array(corner, { minLength: 6, maxLength: 14 }), ({ width, height }, numbers) => {
        const polygon = numbers.slice(0, numbers.length - (numbers.length % 2));
        const corners = polygon.length / 2;
        const expected: number[] = [];
        for (let pixel = 0; pixel < width * height; pixel++) {
          const [y, x] = [Math.floor(pixel / width) + 0.5, (pixel % width) + 0.5];
          let crossed = 0;
          for (let i = 0; i < corners; i++) {
            const [ax, ay] = [polygon[2 * i]!, polygon[2 * i + 1]!];
            const j = (i + 1) % corners;
            const [bx, by] = [polygon[2 * j]!, polygon[2 * j + 1]!];
            if (ay > y !== by > y && ax + ((y - ay) * (bx - ax)) / (by - ay) <= x) crossed++;
          }
          if (crossed % 2 === 1) expected.push(pixel);
        }
        expect(pixelsOf(polygonRegion([polygon], { width, height }))).toEqual(expected);
      }),
    );
  });

  it('of several polygons are what any of them holds, counted once', () => {
    const side = fc.integer({ min: -2, max: 14 });
    const rectangle = fc.tuple(side, side, side, side).map(([a, b, c, d]) => [a, b, c, b, c, d, a, d]);
    fc.assert(
      fc.property(size, fc.array(rectangle, { maxLength: 5 }), (picture, polygons) => {
        const each = polygons.map((polygon) => pixelsOf(polygonRegion([polygon], picture)));
        const expected = [...new Set(each.flat())].sort((a, b) => a - b);
        expect(pixelsOf(polygonRegion(polygons, picture))).toEqual(expected);
      }),
    );
  });

  it('are painted on a grid as on the whole picture', () => {
    const places = (most: number) =>
      fc.array(fc.nat(most - 1), { maxLength: 20 }).map((list) => Int32Array.from(list).sort());
    const grids = size.chain(({ width, height }) =>
      fc.record({
        picture: fc.constant({ width, height }),
        grid: fc.record({ rows: places(height), columns: places(width) }),
        corners: fc.array(fc.integer({ min: -8, max: 64 }), { minLength: 6, maxLength: 12 }),
        inside: fc.array(fc.boolean(), { minLength: width * height, maxLength: width * height }),
      }),
    );
    fc.assert(
      fc.property(grids, ({ picture, grid, corners, inside }) => {
        const { width } = picture;
        const places = [...inside.keys()].filter((place) => inside[place] === true);
        const spans = places.map((start) => ({ start, length: 1 }));
        const polygon = corners.slice(0, corners.length - (corners.length % 2)).map((at) => at / 4);
        const regions = [polygonRegion([polygon], picture), runRegion(encodeRuns(spans, picture), picture)!];
        for (const region of regions) {
          const whole = new Set(pixelsOf(region));
          const drawn = new Int32Array(grid.rows.length * grid.columns.length);
          regionPainter(grid, picture)(region, 7, drawn);
          const expected = [...grid.rows].flatMap((row) =>
            [...grid.columns].map((column) => (whole.has(row * width + column) ? 7 : 0)),
          );
          expect([...drawn]).toEqual(expected);
        }
      }),
    );
  });

  it('of runs survive being written as runs and as text', () => {
    fc.assert(
      fc.property(size, fc.integer(), ({ width, height }, seed) => {
        const inside = (place: number) => Math.sin(seed + place * 1.7) > 0;
        const runs: number[] = [0];
        for (let place = 0; place < width * height; place++) {
          if (inside(place) !== (runs.length % 2 === 0)) runs.push(0);
          runs[runs.length - 1]!++;
        }
        const expected: number[] = [];
        for (let pixel = 0; pixel < width * height; pixel++)
          if (inside((pixel % width) * height + Math.floor(pixel / width))) expected.push(pixel);
        expect(pixelsOf(runRegion(runs, { width, height })!)).toEqual(expected);
        expect(parseRuns(compress(runs))).toEqual(runs);
      }),
    );
  });

  it('come back from what is written of them', () => {
    fc.assert(
      fc.property(size, fc.integer(), ({ width, height }, seed) => {
        const inside = (place: number) => Math.sin(seed + place * 1.7) > 0;
        const places = Array.from({ length: width * height }, (_, place) => place).filter(inside);
        // In spans of one pixel each: what touches, also across columns, is one run.
        const runs = encodeRuns(
          places.map((start) => ({ start, length: 1 })),
          { width, height },
        );
        expect(runs.slice(1).every((run) => run > 0)).toBe(true);
        const pixels = places.map((place) => (place % height) * width + Math.floor(place / height));
        expect(pixelsOf(runRegion(runs, { width, height })!)).toEqual(pixels.sort((a, b) => a - b));
        expect(parseRuns(formatRuns(runs))).toEqual(runs);
        expect(formatRuns(runs)).toBe(compress(runs));
      }),
    );
    const long = fc.array(fc.nat(2 ** 30), { maxLength: 12 });
    fc.assert(
      fc.property(long, (runs) => {
        expect(parseRuns(formatRuns(runs))).toEqual(runs);
      }),
    );
  });

  it('of a text worked out by hand', () => {
    // Rows 1 and 2 of columns 1 to 3 in 4 x 6 pixels: from the fourth run on differences 0, 0, 0 and 7.
    expect(parseRuns('5220007')).toEqual([5, 2, 2, 2, 2, 2, 9]);
    // 100 = 4 + 3 * 32, low bits first, the sixth bit saying that more follow; -40 = 24 - 2 * 32.
    expect(parseRuns('T3')).toEqual([100]);
    expect(parseRuns('111hN')).toEqual([1, 1, 1, -39]);
    expect(parseRuns('T')).toBeUndefined();
    expect(formatRuns([5, 2, 2, 2, 2, 2, 9])).toBe('5220007');
    expect(formatRuns([100])).toBe('T3');
    expect(formatRuns([1, 1, 1, -39])).toBe('111hN');
  });
});
