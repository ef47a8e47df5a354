import { Model } from '@unitscope/model';
import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { filterFields, InterpretableLayer, interpretabilityReport, SpatialSpread } from '../src/index.js';
import { expectClose, randomMaps } from './support/arrays.js';

describe('SpatialSpread', () => {
  it('is what its definition says, and leaves out maps without activation', async () => {
    const maps = randomMaps([3, 2, 4, 5], 7);
    maps.data.fill(-1, 0, 20);
    const spread = new SpatialSpread(2);
    await spread.add({ dims: [1, 2, 4, 5], data: maps.data.subarray(0, 40) });
    await spread.add({ dims: [2, 2, 4, 5], data: maps.data.subarray(40) });
    const of = (map: number) => {
      const x = Array.from(maps.data.subarray(map * 20, map * 20 + 20));
      const mass = x.reduce((sum, value) => sum + value, 0);
      const mean = (place: (cell: number) => number) =>
        x.reduce((sum, value, cell) => sum + value * place(cell), 0) / mass;
      const variance = (place: (cell: number) => number) => {
        const centre = mean(place);
        return mean((cell) => (place(cell) - centre) ** 2);
      };
      return Math.sqrt((variance((cell) => Math.floor(cell / 5)) + variance((cell) => cell % 5)) / 41);
    };
    const { filters, active, spread: mean } = spread.result();
    expectClose(filters, [(of(2) + of(4)) / 2, (of(1) + of(3) + of(5)) / 3], 1e-6);
    expect(Array.from(active)).toEqual([2, 3]);
    expect(mean).toBeCloseTo((filters[0]! + filters[1]!) / 2, 12);
  });

  it('is 0 of a single cell, about 0.41 of a flat map, and smaller behind a mask', async () => {
    const single = new Float32Array(400);
    single[77] = 3;
    const flat = new Float32Array(400).fill(2);
    const spread = new SpatialSpread(2);
    await spread.add({ dims: [1, 2, 20, 20], data: Float32Array.from([...single, ...flat]) });
    expectClose(spread.result().filters, [0, Math.sqrt((2 * (20 ** 2 - 1)) / 12 / 800)], 1e-6);
    const maps = randomMaps([4, 3, 9, 9], 2);
    const { masked } = await new InterpretableLayer({ channels: 3, height: 9, width: 9 }).forward(maps);
    const [before, after] = [new SpatialSpread(3), new SpatialSpread(3)];
    await before.add(maps);
    await after.add(masked);
    expect(after.result().spread).toBeLessThan(0.5 * before.result().spread);
  });

  it('refuses other dims and maps that are not finite', async () => {
    const spread = new SpatialSpread(2);
    await expect(spread.add(randomMaps([1, 3, 2, 2], 1))).rejects.toThrow(/maps must be \[N, 2/);
    const maps = randomMaps([1, 2, 2, 2], 1);
    maps.data[5] = Number.NaN;
    await expect(spread.add(maps)).rejects.toThrow(/map 1 is not finite/);
    expect(spread.result().spread).toBeNaN();
  });
});

/** Filter 0 is strongest on the brightest red pixel, filter 1 sees green; a 3 x 3 mean and steps of 2 pixels. */
function network(): Graph {
  const builder = new GraphBuilder(emptyGraph('colors', 18));
  builder.input({ name: 'picture', type: 'float32', dims: ['N', 2, 16, 16] });
  const w = new Float32Array(2 * 2 * 9);
  w.fill(1 / 9, 0, 9);
  w.fill(1 / 9, 27, 36);
  const weight = builder.constant({ type: 'float32', dims: [2, 2, 3, 3], data: w }, 'w');
  const conv = builder.node(
    'Conv',
    ['picture', weight],
    { strides: [2, 2], pads: [1, 1, 1, 1] },
    { name: 'conv' },
  );
  builder.output({ name: builder.node('GlobalAveragePool', [conv]), type: 'float32', dims: ['N', 2, 1, 1] });
  return builder.build();
}

/** A red spot at (2 r, 2 c), a green one at a fixed distance of it; noise far weaker. */
function pictures(spots: readonly (readonly [number, number])[]): Tensor {
  const dims = [spots.length, 2, 16, 16];
  const data = new Random(5).normalTensor(dims, 0, 1e-3).data;
  spots.forEach(([row, column], n) => {
    for (const [channel, shift] of [
      [0, 0],
      [1, 2],
    ] as const) {
      for (let y = -1; y <= 1; y++) {
        for (let x = -1; x <= 1; x++) {
          const [at, across] = [2 * row + y + shift, 2 * column + x];
          data[((n * 2 + channel) * 16 + at) * 16 + across] = 1 + n;
        }
      }
    }
  });
  return { dims, data };
}

const spots = [
  [2, 3],
  [4, 5],
  [3, 2],
] as const;

describe('interpretabilityReport', () => {
  it('measures location instability at the layer, of a landmark that a filter points at and one it does not', async () => {
    const model = await Model.load(network());
    try {
      const inputs = pictures(spots);
      const landmarks = Float64Array.from(spots.flatMap(([row, column]) => [2 * row, 2 * column, 0, 0]));
      const report = await interpretabilityReport(
        model,
        'conv',
        [
          {
            inputs,
            landmarks: { dims: [3, 2, 2], data: landmarks },
            categories: [0, 0, 0],
            objectNumbers: [0, 1, 2],
          },
        ],
        { landmarks: ['red', 'corner'], categories: ['spot'] },
      );
      expect(report.objects).toBe(3);
      const [red, corner] = report.location.landmarks;
      expect(red!.instability).toBeCloseTo(0, 12);
      const distances = spots.map(([row, column]) => Math.hypot(2 * row, 2 * column));
      const mean = distances.reduce((sum, each) => sum + each, 0) / 3;
      const green = spots.map(([row, column]) => Math.hypot(2 * row + 2, 2 * column));
      const greenMean = green.reduce((sum, each) => sum + each, 0) / 3;
      const deviation = (values: readonly number[], of: number) =>
        Math.sqrt(values.reduce((sum, each) => sum + (each - of) ** 2, 0) / 2) / Math.hypot(16, 16);
      const wanted = (deviation(distances, mean) + deviation(green, greenMean)) / 2;
      expect(corner!.instability).toBeCloseTo(wanted, 9);
      expect(report.spread.spread).toBeLessThan(0.2);
    } finally {
      await model.close();
    }
  });

  it('refuses a layer without places, and stops when told to', async () => {
    const model = await Model.load(network());
    try {
      const options = { landmarks: ['red'], categories: ['spot'] };
      await expect(interpretabilityReport(model, 'conv9', [], options)).rejects.toThrow(/no layer "conv9"/);
      const controller = new AbortController();
      controller.abort();
      const batch = {
        inputs: pictures(spots),
        landmarks: { dims: [3, 1, 2], data: new Float64Array(6) },
        categories: [0, 0, 0],
        objectNumbers: [0, 1, 2],
      };
      const aborted = interpretabilityReport(model, 'conv', [batch], {
        ...options,
        signal: controller.signal,
      });
      await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
    } finally {
      await model.close();
    }
  });
});

describe('filterFields', () => {
  it('finds where filters are strongest, and what they look at', async () => {
    const model = await Model.load(network());
    try {
      const options = { filters: [0], count: 2, occluder: 3, stride: 1, smoothing: { radius: 1, sigma: 1 } };
      const [fields, ...others] = await filterFields(model, 'conv', pictures(spots), options);
      expect(others).toEqual([]);
      expect(fields!.places.map(({ picture, unit }) => [picture, ...unit])).toEqual([
        [2, 3, 2],
        [1, 4, 5],
      ]);
      expect(fields!.places[0]!.pixel).toEqual([6, 4]);
      const { height, width, data } = fields!.field;
      expect(data[((height - 1) / 2) * width + (width - 1) / 2]).toBe(1);
      expect(Math.max(height, width)).toBeLessThanOrEqual(5);
      await expect(filterFields(model, 'conv', pictures(spots), { filters: [2] })).rejects.toThrow(
        /has no filter 2; there are 2/,
      );
      await expect(filterFields(model, 'conv', pictures(spots), { count: 0 })).rejects.toThrow(
        /count must be/,
      );
    } finally {
      await model.close();
    }
  });
});
