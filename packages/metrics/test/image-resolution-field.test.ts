import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ActivationsOf,
  estimateImageResolutionField,
  type FieldTemplate,
  type ImageResolutionFieldOptions,
} from '../src/index.js';

/** A layer of units at every pixel: sum over the offsets [dy, dx] of the pixel there, one list for each filter. */
const layerOf =
  (filters: readonly (readonly (readonly [number, number])[])[], calls: number[] = []): ActivationsOf =>
  ({ dims, data }) => {
    const [count = 0, , height = 0, width = 0] = dims;
    calls.push(count);
    const maps = new Float32Array(count * filters.length * height * width);
    let next = 0;
    for (let n = 0; n < count; n++) {
      for (const offsets of filters) {
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++, next++) {
            for (const [dy, dx] of offsets) {
              const [row, column] = [y + dy, x + dx];
              if (row >= 0 && column >= 0 && row < height && column < width)
                maps[next]! += data[(n * height + row) * width + column]!;
            }
          }
        }
      }
    }
    return Promise.resolve({ dims: [count, filters.length, height, width], data: maps });
  };

const OPTIONS: ImageResolutionFieldOptions = {
  origin: [0, 0],
  step: [1, 1],
  input: [16, 18],
  occluder: 1,
  stride: 1,
  strongest: 1000,
  smoothing: { radius: 0, sigma: 1 },
};

/** Pictures with one bright pixel each on black, every filter's unit somewhere around it. */
function dots(places: readonly (readonly [number, number])[]): Tensor {
  const data = new Float32Array(places.length * 16 * 18);
  places.forEach(([y, x], n) => {
    data[(n * 16 + y) * 18 + x] = 1;
  });
  return { dims: [places.length, 1, 16, 18], data };
}

/** The offsets of a template's pixels. */
function offsetsOf({ height, width, data }: FieldTemplate): [number, number][] {
  return [...data.keys()]
    .filter((i) => data[i] === 1)
    .map((i) => [Math.floor(i / width) - (height - 1) / 2, (i % width) - (width - 1) / 2]);
}

describe('the field by occlusion', () => {
  it('is where the filter looks, around its unit', async () => {
    // A picture of noise above 1: whatever the filter sums up weakens it.
    const random = new Random(5);
    const noise = { dims: [2, 1, 16, 18], data: new Float32Array(2 * 288).map(() => 1 + random.uniform()) };
    const seen = [
      [
        [-2, -1],
        [-2, 0],
        [3, 4],
      ],
      [[0, 0]],
    ] as const;
    // Every drop counts alike above the least of them: they lie between 1 and 2.
    const fields = await estimateImageResolutionField(noise, [[0, 1], [0]], layerOf(seen), {
      ...OPTIONS,
      fraction: 0.4,
    });
    expect(fields.map(offsetsOf)).toEqual(seen);
    expect(fields.map(({ height, width }) => [height, width])).toEqual([
      [7, 9],
      [1, 1],
    ]);
  });

  it('of an occluder is as large as it, moved to the unit', async () => {
    // The unit is one row above and two columns left of the dot: it looks at (1, 2).
    const pictures = dots([[6, 9]]);
    const calls: number[] = [];
    const [field] = await estimateImageResolutionField(pictures, [[0]], layerOf([[[1, 2]]], calls), {
      ...OPTIONS,
      occluder: 3,
      stride: 3,
      batchSize: 4,
    });
    // Of the grid 0, 3, 6, ... the one place whose occluder covers the dot has its middle at (6, 9).
    expect(offsetsOf(field!)).toEqual([-1, 0, 1].flatMap((y) => [-1, 0, 1].map((x) => [1 + y, 2 + x])));
    // One run for the picture, and ceil(16 / 3) ceil(18 / 3) = 36 places in fours.
    expect(calls).toEqual([1, ...new Array(9).fill(4)]);
  });

  it('counts the strongest places, of equals the first', async () => {
    // Every place whose occluder covers the dot weakens it by the same: 3 x 3 of them.
    const run = (strongest: number) =>
      estimateImageResolutionField(dots([[6, 9]]), [[0]], layerOf([[[0, 0]]]), {
        ...OPTIONS,
        occluder: 3,
        strongest,
        fraction: 1,
      });
    expect(offsetsOf((await run(1))[0]!)).toEqual([-2, -1, 0].flatMap((y) => [-2, -1, 0].map((x) => [y, x])));
    // All nine of them cover the dot alone.
    expect(offsetsOf((await run(9))[0]!)).toEqual([[0, 0]]);
  });

  it('is as the definition has it, for units that are weakened and strengthened', async () => {
    const [height, width] = [6, 7];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 1, max: 12 }),
        async (seed, count) => {
          // Whole numbers, of which sums are exact; a layer of 2 x 2 units, each a weighted sum of the whole picture.
          const random = new Random(seed);
          const whole = (count: number, most: number) =>
            Float32Array.from({ length: count }, () => random.integer(-most, most));
          const [weights, given] = [whole(4 * 42, 3), whole(2 * 42, 5)];
          const unitsOf = (picture: Float32Array) =>
            [0, 1, 2, 3].map((unit) =>
              picture.reduce((sum, value, i) => sum + value * weights[unit * 42 + i]!, 0),
            );
          const activationsOf: ActivationsOf = ({ dims, data }) => {
            const rows = Array.from({ length: dims[0]! }, (_, n) =>
              unitsOf(data.slice(n * 42, (n + 1) * 42)),
            );
            return Promise.resolve({ dims: [dims[0]!, 1, 2, 2], data: Float32Array.from(rows.flat()) });
          };
          const expected = new Map<string, number>();
          for (const picture of [given.slice(0, 42), given.slice(42)]) {
            const before = unitsOf(picture);
            const unit = before.indexOf(Math.max(...before));
            const [unitY, unitX] = [1 + 3 * Math.floor(unit / 2), 1 + 4 * (unit % 2)];
            const covered = (y: number, x: number) => (_: number, i: number) =>
              Math.abs(Math.floor(i / width) - y) <= 1 && Math.abs((i % width) - x) <= 1;
            const trials = [0, 2, 4].flatMap((y) =>
              [0, 2, 4, 6].map((x) => {
                const isCovered = covered(y, x);
                const after = unitsOf(picture.map((value, i) => (isCovered(value, i) ? 0 : value)));
                return { isCovered, drop: before[unit]! - after[unit]! };
              }),
            );
            // Stable, so that equal drops stay in the order of their places.
            const strongest = trials.filter(({ drop }) => drop > 0).sort((a, b) => b.drop - a.drop);
            for (const { isCovered, drop } of strongest.slice(0, count)) {
              picture.forEach((value, i) => {
                const key = `${Math.floor(i / width) - unitY} ${(i % width) - unitX}`;
                if (isCovered(value, i)) expected.set(key, (expected.get(key) ?? 0) + drop);
              });
            }
          }
          const largest = Math.max(0, ...expected.values());
          const inside = [...expected].filter(([, weight]) => weight >= largest / 2).map(([key]) => key);
          const pictures = { dims: [2, 1, height, width], data: given };
          const [field] = await estimateImageResolutionField(pictures, [[0, 1]], activationsOf, {
            ...OPTIONS,
            origin: [1, 1],
            step: [3, 4],
            input: [height, width],
            occluder: 3,
            stride: 2,
            strongest: count,
          });
          expect(
            offsetsOf(field!)
              .map((offset) => offset.join(' '))
              .sort(),
          ).toEqual(inside.sort());
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is smoothed before it is cut', async () => {
    const [field] = await estimateImageResolutionField(dots([[6, 9]]), [[0]], layerOf([[[0, 0]]]), {
      ...OPTIONS,
      smoothing: { radius: 4, sigma: 2 },
    });
    // exp(-r^2 / 8) >= 1/2 where r^2 <= 8 ln 2 = 5.545.
    const inside = (y: number, x: number) => y * y + x * x <= 5;
    const range = [-4, -3, -2, -1, 0, 1, 2, 3, 4];
    expect(offsetsOf(field!)).toEqual(
      range.flatMap((y) => range.filter((x) => inside(y, x)).map((x) => [y, x])),
    );
  });

  it('is empty for a filter that nothing weakens', async () => {
    const flat: ActivationsOf = ({ dims }) =>
      Promise.resolve({ dims: [dims[0]!, 2, 2, 2], data: new Float32Array(dims[0]! * 8).fill(3) });
    const fields = await estimateImageResolutionField(dots([[6, 9]]), [[0], []], flat, OPTIONS);
    expect(fields).toEqual(new Array(2).fill({ height: 1, width: 1, data: new Uint8Array(1) }));
  });

  it('hides by the fill of each channel', async () => {
    const given = { dims: [1, 2, 4, 4], data: new Float32Array(32).fill(1) };
    const seen: number[][] = [];
    const spy: ActivationsOf = ({ dims, data }) => {
      seen.push([...data]);
      return Promise.resolve({ dims: [dims[0]!, 1, 1, 1], data: new Float32Array(dims[0]!) });
    };
    await estimateImageResolutionField(given, [[0]], spy, {
      ...OPTIONS,
      input: [4, 4],
      stride: 4,
      fill: [5, -5],
    });
    expect(seen[1]).toEqual([5, ...new Array(15).fill(1), -5, ...new Array(15).fill(1)]);
  });

  const black = dots([[0, 0]]);
  it.each<[string, Partial<ImageResolutionFieldOptions>, readonly number[]]>([
    ['stride must be', { stride: 0 }, [0]],
    ['occluder must have a middle pixel', { occluder: 4 }, [0]],
    ['fraction must be', { fraction: 0 }, [0]],
    ['smoothing needs', { smoothing: { radius: 0.5, sigma: 1 } }, [0]],
    ['pictures must be', { input: [18, 16] }, [0]],
    ['there is no picture 1', {}, [1]],
  ])('refuses: %s', async (message, wrong, top) => {
    await expect(
      estimateImageResolutionField(black, [top], layerOf([[[0, 0]]]), { ...OPTIONS, ...wrong }),
    ).rejects.toThrow(message);
  });

  it('refuses activations that do not fit, and stops when it is told to', async () => {
    await expect(
      estimateImageResolutionField(black, [[0], [0]], layerOf([[[0, 0]]]), OPTIONS),
    ).rejects.toThrow('activations must be [1, 2, h, w]');
    await expect(
      estimateImageResolutionField(black, [[0]], layerOf([[[0, 0]]]), {
        ...OPTIONS,
        signal: AbortSignal.abort(),
      }),
    ).rejects.toMatchObject({ code: 'aborted' });
  });
});
