import { readFileSync } from 'node:fs';
import { Random } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  hogDescriptor,
  hogSimilarity,
  mapSimilarity,
  meanInterval,
  type Plane,
  pearson,
  spearman,
  structuralSimilarity,
} from '../src/index.js';

interface Expected {
  readonly spearman: number;
  readonly pearson: number;
  readonly ssim: number;
  readonly hogSpearman: number;
  readonly hogPearson: number;
  readonly hogLength: number;
  readonly hogFirst: readonly number[];
}

interface Case {
  readonly seedA: number;
  readonly seedB: number;
  readonly height: number;
  readonly width: number;
  readonly steps: number;
  readonly mix: number;
  readonly signed: Expected;
  readonly absolute: Expected;
}

const { cases }: { cases: readonly Case[] } = JSON.parse(
  readFileSync(new URL('fixtures/similarity.json', import.meta.url), 'utf8'),
);

/** As the fixture says. */
function seededPlane(seed: number, { height, width, steps }: Case): Float64Array {
  let state = seed;
  return Float64Array.from({ length: height * width }, () => {
    // Of 32 bits each, the factors have a product that needs more than a double has.
    state = Number((1664525n * BigInt(state) + 1013904223n) % 2n ** 32n);
    const value = state / 2 ** 32 - 0.5;
    return steps > 0 ? Math.floor(value * steps) / steps : value;
  });
}

const planeOf = (height: number, width: number, data: ArrayLike<number>): Plane => ({ height, width, data });

describe('against SciPy and scikit-image', () => {
  const rows = cases.flatMap((one) => (['signed', 'absolute'] as const).map((form) => ({ one, form })));
  it.each(rows)('$one.height x $one.width of seed $one.seedA, $form', ({ one, form }) => {
    const { seedA, seedB, height, width, mix } = one;
    const [first, second] = [seededPlane(seedA, one), seededPlane(seedB, one)];
    const take = (value: number) => (form === 'signed' ? value : Math.abs(value));
    const a = planeOf(height, width, first.map(take));
    const b = planeOf(
      height,
      width,
      first.map((value, i) => take(mix * value + (1 - mix) * second[i]!)),
    );
    const wanted = one[form];
    expect(spearman(a.data, b.data)).toBeCloseTo(wanted.spearman, 12);
    expect(pearson(a.data, b.data)).toBeCloseTo(wanted.pearson, 12);
    expect(structuralSimilarity(a, b)).toBeCloseTo(wanted.ssim, 12);
    const descriptor = hogDescriptor(a);
    expect(descriptor.length).toBe(wanted.hogLength);
    // scikit-image sums a cell up in float32.
    for (const [i, value] of wanted.hogFirst.entries())
      expect(Math.abs(descriptor[i]! - value)).toBeLessThan(256 * 2 ** -24);
    // Its last place may swap two neighbours, which moves the correlation of n ranks by at most 12 n / (n^3 - n).
    const swap = 12 / (wanted.hogLength ** 2 - 1);
    expect(Math.abs(hogSimilarity(a, b) - wanted.hogSpearman)).toBeLessThan(swap);
    expect(hogSimilarity(a, b, { correlation: 'pearson' })).toBeCloseTo(wanted.hogPearson, 6);
    const slow = slowDescriptor(unit(Array.from(a.data)), height, width);
    expect(slow.length).toBe(descriptor.length);
    const worst = slow.reduce((most, value, i) => Math.max(most, Math.abs(descriptor[i]! - value)), 0);
    expect(worst).toBeLessThan(1e-12);
  });
});

describe('rank correlation', () => {
  const lists = fc
    .integer({ min: 2, max: 40 })
    .chain((length) =>
      fc.tuple(
        ...[0, 1].map(() =>
          fc.array(fc.integer({ min: -4, max: 4 }), { minLength: length, maxLength: length }),
        ),
      ),
    );

  it('is the correlation of ranks counted one by one', () => {
    const ranksOf = (values: readonly number[]) =>
      values.map(
        (value) =>
          values.filter((other) => other < value).length +
          (values.filter((other) => other === value).length + 1) / 2,
      );
    fc.assert(
      fc.property(lists, ([a = [], b = []]) => {
        const slow = pearson(ranksOf(a), ranksOf(b));
        if (Number.isNaN(slow)) expect(spearman(a, b)).toBeNaN();
        else expect(spearman(a, b)).toBeCloseTo(slow, 12);
      }),
    );
  });

  it('reaches both ends exactly, whatever grows with what, over more than 65536 pairs', () => {
    const values = new Random(1).normalTensor([100_000]).data;
    expect(
      spearman(
        values,
        values.map((value) => 4 * value),
      ),
    ).toBe(1);
    expect(
      spearman(
        values,
        values.map((value) => -value),
      ),
    ).toBe(-1);
  });

  it('is none of values that are all alike, of NaN, of lists of two lengths', () => {
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(pearson([0.1, 0.1, 0.1], [1, 2, 3])).toBeNaN();
    expect(spearman([1], [2])).toBeNaN();
    expect(() => spearman([1, Number.NaN], [1, 2])).toThrow('NaN has no rank');
    expect(() => spearman([1, 2], [1])).toThrow('2 values cannot be paired with 1');
    expect(() => pearson([1, 2], [1])).toThrow('2 values cannot be paired with 1');
  });
});

describe('structural similarity', () => {
  it('is the formula, window by window', () => {
    const [height, width] = [14, 17];
    const [x, y] = [2, 3].map((seed) => new Random(seed).normalTensor([height, width]).data);
    const slow = slowStructuralSimilarity(unit(x!), unit(y!), height, width);
    expect(structuralSimilarity(planeOf(height, width, x!), planeOf(height, width, y!))).toBeCloseTo(
      slow,
      12,
    );
  });

  it('is 1 of a plane with itself, also of one scaled and shifted, and none below a window', () => {
    const { data } = new Random(4).normalTensor([20, 12]);
    const plane = planeOf(20, 12, Float64Array.from(data));
    expect(structuralSimilarity(plane, plane)).toBeCloseTo(1, 12);
    const brighter = planeOf(
      20,
      12,
      Float64Array.from(data, (value) => 3 * value + 7),
    );
    expect(structuralSimilarity(plane, brighter)).toBeCloseTo(1, 12);
    expect(structuralSimilarity(planeOf(10, 24, data), planeOf(10, 24, data))).toBeNaN();
  });
});

describe('histograms of oriented gradients', () => {
  it('put an edge into the bin of its direction, by hand', () => {
    // A step of 1 between columns 7 and 8: two columns of gradients (1, 0), of 16 rows each.
    const step = planeOf(
      16,
      16,
      Array.from({ length: 256 }, (_, i) => (i % 16 < 8 ? 0 : 1)),
    );
    const upright = hogDescriptor(step);
    // L2-Hys of one value: clipped at 0.2, normalised again.
    expect([...upright]).toEqual([expect.closeTo(1, 6), 0, 0, 0, 0, 0, 0, 0, 0]);
    const lying = hogDescriptor(
      planeOf(
        16,
        16,
        Array.from({ length: 256 }, (_, i) => (i < 128 ? 0 : 1)),
      ),
    );
    // 90 degrees are in the bin of 80 to 100.
    expect([...lying].findIndex((value) => value > 0.9)).toBe(4);
  });

  it('do not see the sign of a map', () => {
    const { data } = new Random(6).normalTensor([48, 48]);
    const plane = planeOf(48, 48, data);
    const negative = planeOf(
      48,
      48,
      Float32Array.from(data, (value) => -value),
    );
    expect(hogSimilarity(plane, negative)).toBeCloseTo(1, 9);
    expect(spearman(plane.data, negative.data)).toBe(-1);
  });

  it('are none of a plane below a cell', () => {
    const { data } = new Random(7).normalTensor([15, 40]);
    expect(hogDescriptor(planeOf(15, 40, data)).length).toBe(0);
    expect(hogSimilarity(planeOf(15, 40, data), planeOf(15, 40, data))).toBeNaN();
  });
});

describe('the similarity of maps', () => {
  it('is of sums over the channels and of sums of magnitudes', () => {
    const [height, width] = [20, 33];
    const [a, b] = [8, 9].map((seed) => new Random(seed).normalTensor([3, height, width]));
    const summed = (data: Float32Array, of: (value: number) => number) =>
      planeOf(
        height,
        width,
        Array.from({ length: height * width }, (_, i) =>
          [0, 1, 2].reduce((sum, c) => sum + of(data[c * height * width + i]!), 0),
        ),
      );
    const found = mapSimilarity(a!, { dims: [1, 3, height, width], data: b!.data });
    for (const [form, of] of [
      ['signed', (value: number) => value],
      ['absolute', Math.abs],
    ] as const) {
      const [x, y] = [summed(a!.data, of), summed(b!.data, of)];
      expect(found[form]).toEqual({
        rankCorrelation: spearman(x.data, y.data),
        structuralSimilarity: structuralSimilarity(x, y),
        orientedGradients: hogSimilarity(x, y),
      });
    }
    expect(found.signed).not.toEqual(found.absolute);
  });

  it('is refused for more than one picture, other sizes, NaN', () => {
    const map = new Random(1).normalTensor([2, 3, 4]);
    expect(() => mapSimilarity(new Random(1).normalTensor([2, 1, 3, 4]), map)).toThrow('one by one');
    expect(() => mapSimilarity(new Random(1).normalTensor([2, 4, 3]), map)).toThrow(
      'planes of 4 x 3 and 3 x 4 pixels cannot be compared',
    );
    const broken = { dims: map.dims, data: map.data.map((value, i) => (i === 3 ? Number.NaN : value)) };
    expect(() => mapSimilarity(broken, map)).toThrow('pixel 3 of a plane is NaN');
  });
});

function unit(data: ArrayLike<number>): number[] {
  const sorted = Float64Array.from(data).sort();
  const [low, high] = [sorted[0]!, sorted.at(-1)!];
  return Array.from(data, (value) => (value - low) / (high - low));
}

/** Every window on its own, weights over two dimensions, variances as means of squared distances. */
function slowStructuralSimilarity(x: number[], y: number[], height: number, width: number): number {
  const weight = (dy: number, dx: number) => Math.exp(-(dy * dy + dx * dx) / (2 * 1.5 * 1.5));
  const offsets = Array.from({ length: 121 }, (_, i) => [Math.floor(i / 11) - 5, (i % 11) - 5] as const);
  const total = offsets.reduce((sum, [dy, dx]) => sum + weight(dy, dx), 0);
  const values: number[] = [];
  for (let row = 5; row < height - 5; row++) {
    for (let column = 5; column < width - 5; column++) {
      const mean = (of: (i: number) => number) =>
        offsets.reduce((sum, [dy, dx]) => sum + weight(dy, dx) * of((row + dy) * width + column + dx), 0) /
        total;
      const [mx, my] = [mean((i) => x[i]!), mean((i) => y[i]!)];
      const varianceX = mean((i) => (x[i]! - mx) ** 2);
      const varianceY = mean((i) => (y[i]! - my) ** 2);
      const covariance = mean((i) => (x[i]! - mx) * (y[i]! - my));
      values.push(
        ((2 * mx * my + 1e-4) * (2 * covariance + 9e-4)) /
          ((mx * mx + my * my + 1e-4) * (varianceX + varianceY + 9e-4)),
      );
    }
  }
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Pixel by pixel and block by block, of a plane in 0..1: the direction by comparing it with those between the bins. */
function slowDescriptor(values: number[], height: number, width: number): number[] {
  const [rows, columns] = [Math.floor(height / 16), Math.floor(width / 16)];
  const at = (y: number, x: number) => values[y * width + x]!;
  const cells = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => {
      const bins = new Array<number>(9).fill(0);
      for (let y = 16 * row; y < 16 * row + 16; y++) {
        for (let x = 16 * column; x < 16 * column + 16; x++) {
          const down = y === 0 || y === height - 1 ? 0 : at(y + 1, x) - at(y - 1, x);
          const across = x === 0 || x === width - 1 ? 0 : at(y, x + 1) - at(y, x - 1);
          // The direction turned into the upper half plane, where a smaller angle has the larger cosine.
          const turned = down < 0 || (down === 0 && across < 0) ? -1 : 1;
          const magnitude = Math.sqrt(down * down + across * across);
          const bin = Array.from({ length: 8 }, (_, i) => Math.cos(((i + 1) * Math.PI) / 9)).filter(
            (border) => turned * across <= border * magnitude,
          ).length;
          if (magnitude > 0) bins[bin]! += magnitude / 256;
        }
      }
      return bins;
    }),
  );
  const [high, wide] = [Math.min(3, rows), Math.min(3, columns)];
  const normalised = (block: number[]) => {
    const norm = Math.sqrt(block.reduce((sum, value) => sum + value * value, 1e-10));
    return block.map((value) => value / norm);
  };
  const blocks: number[][] = [];
  for (let row = 0; row + high <= rows; row++) {
    for (let column = 0; column + wide <= columns; column++) {
      const block = cells
        .slice(row, row + high)
        .flatMap((line) => line.slice(column, column + wide))
        .flat();
      blocks.push(normalised(normalised(block).map((value) => Math.min(value, 0.2))));
    }
  }
  return blocks.flat();
}

describe('the mean with its interval', () => {
  it('is that of a table of Student', () => {
    // Mean 5, deviation sqrt(10): t(4) = 2.776.
    const { mean, interval, count } = meanInterval([1, 3, 5, 7, 9]);
    expect([mean, count]).toEqual([5, 5]);
    expect(interval).toBeCloseTo((2.776 * Math.sqrt(10)) / Math.sqrt(5), 12);
    // SciPy: t.ppf(0.975, 99) = 1.98421695.
    const many = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 1 : -1));
    expect(meanInterval(many).interval).toBeCloseTo((1.98421695 * Math.sqrt(100 / 99)) / 10, 6);
  });

  it('leaves NaN out, and has no interval of one value', () => {
    expect(meanInterval([Number.NaN, 2, Number.NaN, 4])).toMatchObject({ mean: 3, count: 2 });
    expect(meanInterval([7])).toEqual({ mean: 7, interval: Number.NaN, count: 1 });
    expect(meanInterval([])).toEqual({ mean: Number.NaN, interval: Number.NaN, count: 0 });
    expect(() => meanInterval([1, Number.POSITIVE_INFINITY])).toThrow('infinite');
  });
});
