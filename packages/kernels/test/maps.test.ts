import { sizeOf, zeros } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../src/addon.js';
import { makeValues } from '../src/cases/case.js';
import { firstBeyondBounds } from '../src/cases/map-moments.js';
import {
  argmaxMaps,
  argmaxMapsSync,
  MAP_MOMENTS,
  type MapTies,
  mapMoments,
  mapMomentsSync,
  maskForwardSync,
} from '../src/index.js';
import { argmaxMapsReference } from '../src/reference/argmax-maps.js';
import { mapMomentsReference } from '../src/reference/map-moments.js';
import { errorOf } from './support/errors.js';

const maps = fc.record({
  count: fc.integer({ min: 0, max: 5 }),
  height: fc.integer({ min: 1, max: 40 }),
  width: fc.integer({ min: 1, max: 40 }),
  kind: fc.constantFrom('normal', 'ties', 'nan', 'zeros', 'negative-infinity'),
  ties: fc.constantFrom<MapTies>('row-major', 'column-major'),
  threads: fc.integer({ min: 0, max: 5 }),
  seed: fc.integer({ min: 0, max: 1000 }),
});

const data = (rows: readonly (readonly number[])[]) => ({
  dims: [rows.length, rows[0]!.length],
  data: Float32Array.from(rows.flat()),
});

/** The rows of a map become its columns. */
function transposed(values: Float32Array, height: number, width: number): Float32Array {
  return values.map((_, i) => values[(i % height) * width + Math.floor(i / height)]!);
}

describe('the largest cell', () => {
  it('is taken by rows or by columns where several tie', async () => {
    const x = data([
      [0, 0, 3],
      [0, 3, 0],
      [0, 3, 3],
    ]);
    expect((await argmaxMaps(x)).index).toEqual({ dims: [], data: Int32Array.of(2) });
    const byColumns = await argmaxMaps(x, { ties: 'column-major' });
    expect(byColumns.index.data[0]).toBe(4);
    expect(byColumns.value.data[0]).toBe(3);
    expect(byColumns.backend).toBe('cpu');
  });

  it.each(['cpu', 'reference'] as const)('is the first NaN where there is one, on %s', (backend) => {
    const x = data([
      [9, 1, Number.NaN],
      [2, Number.NaN, 3],
    ]);
    expect(argmaxMapsSync(x, { backend }).index.data[0]).toBe(2);
    const { index, value } = argmaxMapsSync(x, { backend, ties: 'column-major' });
    expect(index.data[0]).toBe(4);
    expect(value.data[0]).toBeNaN();
  });

  it('keeps the sign of a zero, though zeros of both signs tie', () => {
    const { index, value } = argmaxMapsSync(data([[-0, 0]]));
    expect(index.data[0]).toBe(0);
    expect(Object.is(value.data[0], -0)).toBe(true);
  });

  it('is that of the definition, in the arrays given, on any maps', () => {
    fc.assert(
      fc.property(maps, ({ count, height, width, kind, ties, threads, seed }) => {
        const x = { dims: [count, height, width], data: makeValues(kind, count * height * width, seed) };
        const into = { index: new Int32Array(count), value: new Float32Array(count) };
        const { index, value } = argmaxMapsSync(x, { ties, threads, into });
        const expected = argmaxMapsReference({ maps: count, height, width }, ties, x.data);
        expect(index).toEqual({ dims: [count], data: expected.index });
        expect([...value.data]).toEqual([...expected.value]);
        expect(index.data).toBe(into.index);
        expect(value.data).toBe(into.value);
      }),
      { numRuns: 300 },
    );
  });

  it('by columns is the one by rows of the transposed map', () => {
    fc.assert(
      fc.property(maps, ({ height, width, kind, seed }) => {
        const values = makeValues(kind, height * width, seed);
        const byColumns = argmaxMapsSync({ dims: [height, width], data: values }, { ties: 'column-major' })
          .index.data[0]!;
        const flipped = { dims: [width, height], data: transposed(values, height, width) };
        const place = argmaxMapsSync(flipped).index.data[0]!;
        expect(byColumns).toBe((place % height) * width + Math.floor(place / height));
      }),
      { numRuns: 200 },
    );
  });

  it('is where a mask finds the part', () => {
    const x = { dims: [3, 4, 9, 9], data: makeValues('ties', sizeOf([3, 4, 9, 9]), 8) };
    expect(argmaxMapsSync(x).index).toEqual(maskForwardSync(x).mu);
  });
});

describe('location moments', () => {
  const momentsOf = (rows: readonly (readonly number[])[], rectified = true) => {
    const { data: found } = mapMomentsSync(data(rows), { rectified }).moments;
    return Object.fromEntries(Object.entries(MAP_MOMENTS).map(([name, at]) => [name, found[at]]));
  };

  it('are those computed by hand', () => {
    expect(
      momentsOf([
        [1, 0, 0],
        [0, -4, 1],
      ]),
    ).toEqual({
      mass: 2,
      meanRow: 0.5,
      meanColumn: 1,
      varianceRow: 0.25,
      varianceColumn: 1,
      covariance: 0.5,
    });
    expect(momentsOf([[3, -1]], false)).toEqual({
      mass: 2,
      meanRow: 0,
      meanColumn: -0.5,
      varianceRow: 0,
      varianceColumn: -0.75,
      covariance: 0,
    });
  });

  it.each([
    ['nothing', [[-1, 0]], true, 0],
    ['what cancels', [[-1, 1]], false, 0],
    ['an infinity', [[1, Number.POSITIVE_INFINITY]], true, Number.POSITIVE_INFINITY],
    ['a NaN', [[1, Number.NaN]], true, Number.NaN],
  ] as const)('of %s are NaN, but for the mass', (_, rows, rectified, mass) => {
    const { mass: found, ...others } = momentsOf(rows, rectified);
    expect(found).toBe(mass);
    expect(Object.values(others).every(Number.isNaN)).toBe(true);
  });

  it('of one cell far from the middle have no spread', async () => {
    const x = zeros([200, 300]);
    x.data[x.data.length - 1] = 0.3;
    const { moments, backend } = await mapMoments(x);
    expect(backend).toBe('cpu');
    expect(moments.dims).toEqual([6]);
    const [mass, row, column, ofRows, ofColumns, covariance] = moments.data;
    expect(mass).toBe(Math.fround(0.3));
    expect(row).toBeCloseTo(199, 12);
    expect(column).toBeCloseTo(299, 12);
    // The square of the mean's error, which is at most 2 (200 + 300 + 16) 2^-53 300.
    expect(ofRows! + ofColumns! + Math.abs(covariance!)).toBeLessThan(1e-10 ** 2);
  });

  it('are those of the definition on any maps', () => {
    fc.assert(
      fc.property(maps, fc.boolean(), ({ count, height, width, kind, threads, seed }, rectified) => {
        const x = { dims: [count, height, width], data: makeValues(kind, count * height * width, seed) };
        const found = mapMomentsSync(x, { rectified, threads }).moments;
        const expected = mapMomentsReference({ maps: count, height, width }, rectified, x.data);
        expect(found.dims).toEqual([count, 6]);
        expect(firstBeyondBounds(found.data, expected.moments, expected.bounds)).toBeUndefined();
        expect(mapMomentsSync(x, { rectified, threads: 1 }).moments.data).toEqual(found.data);
      }),
      { numRuns: 150 },
    );
  });

  it('move with the map and leave its spread', () => {
    fc.assert(
      fc.property(maps, fc.nat(9), fc.nat(9), ({ height, width, seed }, down, right) => {
        const values = makeValues('normal', height * width, seed).map((value) => Math.abs(value) + 0.1);
        const there = mapMomentsSync({ dims: [height, width], data: values }).moments.data;
        const large = zeros([height + down, width + right]);
        for (let row = 0; row < height; row++) {
          const to = (row + down) * (width + right) + right;
          large.data.set(values.subarray(row * width, (row + 1) * width), to);
        }
        const moved = mapMomentsSync(large).moments.data;
        const shifts = [0, down, right, 0, 0, 0];
        for (const [i, shift] of shifts.entries()) expect(moved[i]! - shift).toBeCloseTo(there[i]!, 9);
      }),
      { numRuns: 200 },
    );
  });
});

describe('wrong arguments', () => {
  const x = zeros([2, 3, 4]);
  it.each([
    ['no map', () => argmaxMapsSync(zeros([4])), 'bad-input', 'must be maps'],
    ['maps without cells', () => argmaxMapsSync(zeros([2, 0, 4])), 'bad-input', 'of 1 to'],
    ['moments without cells', () => mapMomentsSync(zeros([2, 3, 0])), 'bad-input', 'of 1 to'],
    [
      'maps of too many cells',
      () => mapMomentsSync({ dims: [0, 2 ** 16, 2 ** 15], data: new Float32Array() }),
      'bad-input',
      'of 1 to 2147483647 cells',
    ],
    [
      'data that is too short',
      () => mapMomentsSync({ dims: [2, 3, 4], data: new Float32Array(23) }),
      'bad-input',
      '23 elements',
    ],
    [
      'a short index',
      () => argmaxMapsSync(x, { into: { index: new Int32Array(1) } }),
      'bad-input',
      'index to write to must have 2',
    ],
    [
      'short moments',
      () => mapMomentsSync(x, { into: { moments: new Float64Array(6) } }),
      'bad-input',
      'moments to write to must have 12',
    ],
    [
      'values in place',
      () => argmaxMapsSync(x, { into: { value: x.data.subarray(0, 2) } }),
      'wrong-use',
      'x and value overlap',
    ],
  ] as const)('%s', (_, action, code, message) => {
    const error = errorOf(action);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  it('names the orders of ties there are', () => {
    // @ts-expect-error: what a caller without types could pass
    expect(errorOf(() => argmaxMapsSync(x, { ties: 'column' })).message).toContain('column-major');
  });

  it('are refused by the addon itself', () => {
    const { argmaxMaps: argmax, mapMoments: moments } = loadAddon().now;
    const good = { backend: 0, threads: 1, maps: 1, height: 1, width: 2, x: new Float32Array(2) };
    const results = { index: new Int32Array(1), value: new Float32Array(1), ties: 1 };
    expect(() => argmax({ ...good, ...results })).not.toThrow();
    expect(() => argmax({ ...good, ...results, ties: 2 })).toThrow('ties must be an integer from 0 to 1');
    expect(() => argmax({ ...good, ...results, height: 0, x: new Float32Array(0) })).toThrow('1 to 2^31');
    expect(() => argmax({ ...good, ...results, maps: 2 ** 52, height: 2 ** 30 })).toThrow('can be counted');
    expect(() => moments({ ...good, rectified: 2, moments: new Float64Array(6) })).toThrow('rectified');
    expect(() => moments({ ...good, rectified: 1, moments: new Float64Array(5) })).toThrow('have 6 elements');
  });
});
