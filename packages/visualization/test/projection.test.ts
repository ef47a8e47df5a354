import { Model } from '@unitscope/model';
import { emptyGraph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { CONFIGURATIONS } from '../../model/test/support/engines.js';
import {
  deconvnet,
  fieldWindow,
  gradient,
  guidedBackprop,
  methodNamed,
  type Projection,
  projectUnits,
  type Window,
} from '../src/index.js';
import { Golden, goldensAreThere } from './support/goldens.js';
import { pictureMaps, slowDeconvnet, smallNetwork } from './support/slow-deconvnet.js';

/** The whole map [1, C, height, width] that a patch was cut from, if nothing was lost. */
function laidBack({ patch, field: { frame } }: Projection, height: number, width: number): Tensor {
  const [channels = 0] = patch.dims;
  const data = new Float32Array(channels * height * width);
  for (let i = 0; i < patch.data.length; i++) {
    const [channel, rest] = [Math.floor(i / (frame.height * frame.width)), i % (frame.height * frame.width)];
    const y = frame.top + Math.floor(rest / frame.width);
    const x = frame.left + (rest % frame.width);
    if (y >= 0 && y < height && x >= 0 && x < width)
      data[(channel * height + y) * width + x] = patch.data[i]!;
    else expect(patch.data[i]).toBe(0);
  }
  return { dims: [1, channels, height, width], data };
}

describe
  .skipIf(!goldensAreThere())
  .each(['mini_alexnet', 'mini_vgg11'].flatMap((name) => CONFIGURATIONS.map((each) => ({ name, ...each }))))(
  'the golden of $name on $engine, lowering $lowering',
  ({ name, engine, lowering }) => {
    it('is the projection of the unit, all of it within the receptive field', async () => {
      const golden = new Golden(name);
      const model = await Model.load(golden.model, { engine, lowering });
      try {
        const input = golden.input();
        const [channel, y, x] = golden.manifest.neuron!;
        const { projections } = await projectUnits(model, golden.manifest.tap_onnx_tensor!, input, [channel]);
        const [projection] = projections;
        expect(projection).toMatchObject({ unit: channel, position: [y, x], outside: 0 });
        golden.expectEqual(laidBack(projection!, input.dims[2]!, input.dims[3]!), 'zeiler_deconv', 1e-3);
      } finally {
        await model.close();
      }
    });
  },
);

describe('projections of a small network', () => {
  const [height, width] = [12, 15] as const;
  const { graph, layers } = smallNetwork(4);
  const loaded = Model.load(graph);
  afterAll(async () => (await loaded).close());
  const pictures = new Random(5).normalTensor([7, 3, height, width]);

  it('are the deconvnet of the paper, evaluated in float64', async () => {
    const model = await loaded;
    const units = [0, 1, 2, 3, 4, 1, 0];
    const { projections } = await projectUnits(model, 'relu2', pictures, units);
    let live = 0;
    for (const [n, projection] of projections.entries()) {
      const expected = slowDeconvnet(layers, pictureMaps(pictures, n), units[n]!);
      if (expected.activation === 0) continue;
      live++;
      expect(projection.position).toEqual(expected.position);
      const map = expected.map.flat(2);
      const scale = Math.max(...map.map(Math.abs));
      // Chains of at most 28 + 1 + 28 + 37 roundings, and switches: the terms of a pixel sum to less than 30 x the largest.
      const bound = 94 * 2 ** -24 * 30 * scale;
      expect(Math.abs(projection.activation - expected.activation)).toBeLessThan(
        94 * 2 ** -24 * 30 * expected.activation,
      );
      const { data } = laidBack(projection, height, width);
      const worst = Math.max(...map.map((value, i) => Math.abs(value - data[i]!)));
      expect(worst).toBeLessThanOrEqual(bound);
      expect(projection.outside).toBe(0);
    }
    expect(live).toBeGreaterThanOrEqual(5);
  });

  it.each([
    ['deconvnet', deconvnet],
    ['guided-backprop', guidedBackprop],
    ['gradient', gradient],
  ] as const)('by %s are the maps of explain, cut out', async (name, method) => {
    const model = await loaded;
    const { projections } = await projectUnits(model, 'relu2', pictures, new Array(7).fill(2), {
      composite: methodNamed(name).composite,
    });
    const { map, position, score } = await method(model, pictures, { unit: { layer: 'relu2', channel: 2 } });
    const size = 3 * height * width;
    for (const [n, projection] of projections.entries()) {
      expect(projection.position).toEqual(position![n]);
      expect(projection.activation).toBe(score[n]);
      expect(laidBack(projection, height, width).data).toEqual(map.data.slice(n * size, (n + 1) * size));
    }
  });

  it('are those of given places where these are named', async () => {
    const model = await loaded;
    const place = { channel: 1, position: [0, 3] as const };
    const { projections } = await projectUnits(model, 'conv2', pictures, new Array(7).fill(place));
    expect(projections.map(({ position }) => position)).toEqual(new Array(7).fill([0, 3]));
    expect(projections[0]!.field).toEqual({
      frame: { top: -1, left: 5, height: 9, width: 9 },
      inside: { top: 0, left: 5, height: 8, width: 9 },
    });
  });

  it.each<[string, string, readonly number[], string, string]>([
    ['a layer that is not there', 'relu3', [0], 'not-found', 'no layer "relu3"'],
    ['a layer without maps', 'scores', [0], 'unsupported', 'layer scores gives no maps'],
    ['a unit out of range', 'relu2', [6], 'not-found', 'units 0 to 5'],
    ['units of another number than the pictures', 'relu2', [0, 1], 'wrong-use', '2 targets'],
  ])('refuse %s', async (_, layer, units, code, message) => {
    const model = await loaded;
    const batch = new Random(1).normalTensor([units.length === 1 ? 1 : 3, 3, height, width]);
    const refused = projectUnits(model, layer, batch, units);
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('end when the signal fires', async () => {
    const signal = AbortSignal.abort();
    const refused = projectUnits(await loaded, 'relu2', pictures, new Array(7).fill(0), { signal });
    await expect(refused).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('the window of a unit', () => {
  it('is what its gradient reaches, at every place of any chain of windows', async () => {
    const compared = { within: 0, atBorders: 0 };
    const side = fc.record({
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 3 }),
      pad: fc.integer({ min: 0, max: 2 }),
    });
    const window = fc.record({ vertical: side, horizontal: side });
    await fc.assert(
      fc.asyncProperty(
        fc.array(window, { minLength: 1, maxLength: 3 }),
        fc.tuple(fc.integer({ min: 8, max: 17 }), fc.integer({ min: 8, max: 17 })),
        async (chain, size) => {
          const fits = (axis: 'vertical' | 'horizontal', length: number) =>
            chain.reduce((rest, each) => {
              const { kernel, stride, pad } = each[axis];
              // Padding of a whole window or more makes units that see nothing at all.
              return rest < 1 || pad >= kernel ? 0 : Math.floor((rest + 2 * pad - kernel) / stride) + 1;
            }, length);
          const [rows, columns] = [fits('vertical', size[0]), fits('horizontal', size[1])];
          fc.pre(rows > 0 && columns > 0);
          const isDense = chain.every((each) =>
            [each.vertical, each.horizontal].every(({ kernel, stride }) => kernel >= stride),
          );
          const drops = (axis: 'vertical' | 'horizontal', length: number) =>
            chain.some((each) => {
              const { kernel, stride, pad } = each[axis];
              const rest = length + 2 * pad - kernel;
              length = Math.floor(rest / stride) + 1;
              return rest % stride !== 0;
            });
          const nothingDropped = !drops('vertical', size[0]) && !drops('horizontal', size[1]);
          const model = await Model.load(positiveChain(chain, size));
          try {
            const places = Array.from({ length: rows * columns }, (_, i) => ({
              channel: 0,
              position: [Math.floor(i / columns), i % columns] as const,
            }));
            const ones = new Float32Array(places.length * size[0] * size[1]).fill(1);
            const batch = { dims: [places.length, 1, ...size], data: ones };
            const { signal } = await (
              await model.pullback({ kind: 'unit', layer: 'last', position: 'given' })
            ).run(batch, places);
            const { receptiveField } = model.layer('last');
            for (const [n, { position }] of places.entries()) {
              const reached = boundsOf(signal.data.subarray(n * size[0] * size[1]), size);
              const { frame, inside } = fieldWindow(receptiveField!, position, size);
              // A unit that sees padding alone reaches nothing.
              if (reached === undefined) continue;
              expect(contains(inside, reached)).toBe(true);
              // Beyond the last window of an inner map, and between windows, the field has pixels that nothing reads.
              const isWhole = JSON.stringify(frame) === JSON.stringify(inside);
              if (!isDense || !(isWhole || nothingDropped)) continue;
              expect(reached).toEqual(inside);
              compared[isWhole ? 'within' : 'atBorders']++;
            }
          } finally {
            await model.close();
          }
        },
      ),
      { numRuns: 80, seed: 11 },
    );
    expect(Math.min(compared.within, compared.atBorders)).toBeGreaterThan(100);
  }, 60_000);

  it('is the picture along a side that is longer than it', () => {
    const field = { size: [9, 3], stride: [2, 2], offset: [-3, 0], centre: [1, 1] } as const;
    expect(fieldWindow(field, [0, 0], [6, 6])).toEqual({
      frame: { top: 0, left: 0, height: 6, width: 3 },
      inside: { top: 0, left: 0, height: 6, width: 3 },
    });
    expect(fieldWindow(field, [1, 2], [6, 6]).inside).toEqual({ top: 0, left: 4, height: 6, width: 2 });
  });

  it('has whole pixels of one size where strides are fractions', () => {
    const field = { size: [3, 3], stride: [0.5, 0.5], offset: [-0.75, -0.75], centre: [0.25, 0.25] } as const;
    for (const row of [0, 1, 2, 3]) {
      const { frame } = fieldWindow(field, [row, 2], [20, 20]);
      const start = -0.75 + 0.5 * row;
      expect(frame.height).toBe(4);
      expect(frame.top).toBeLessThanOrEqual(start);
      expect(frame.top + frame.height).toBeGreaterThanOrEqual(start + 3);
    }
  });
});

interface Side {
  readonly kernel: number;
  readonly stride: number;
  readonly pad: number;
}

/** Convolutions of one channel whose weights are all 1: every pixel that can be reached is. */
function positiveChain(
  chain: readonly { readonly vertical: Side; readonly horizontal: Side }[],
  size: readonly [number, number],
) {
  const builder = new GraphBuilder(emptyGraph('chain', 18));
  let value = builder.input({ name: 'x', type: 'float32', dims: ['N', 1, ...size] });
  chain.forEach(({ vertical, horizontal }, i) => {
    const kernel = [vertical.kernel, horizontal.kernel];
    const data = new Float32Array(vertical.kernel * horizontal.kernel).fill(1);
    value = builder.node(
      'Conv',
      [value, builder.constant({ type: 'float32', dims: [1, 1, ...kernel], data })],
      {
        kernel_shape: kernel,
        strides: [vertical.stride, horizontal.stride],
        pads: [vertical.pad, horizontal.pad, vertical.pad, horizontal.pad],
      },
      { name: i === chain.length - 1 ? 'last' : `conv${i}` },
    );
  });
  builder.output({ name: value, type: 'float32', dims: undefined });
  return builder.build();
}

/** The smallest window with everything that is not zero. */
function boundsOf(data: Float32Array, [height, width]: readonly [number, number]): Window | undefined {
  const [ys, xs]: [number[], number[]] = [[], []];
  for (let i = 0; i < height * width; i++) {
    if (data[i] === 0) continue;
    ys.push(Math.floor(i / width));
    xs.push(i % width);
  }
  if (ys.length === 0) return undefined;
  const [top, left] = [Math.min(...ys), Math.min(...xs)];
  return { top, left, height: Math.max(...ys) - top + 1, width: Math.max(...xs) - left + 1 };
}

function contains(outer: Window, inner: Window): boolean {
  return (
    outer.top <= inner.top &&
    outer.left <= inner.left &&
    outer.top + outer.height >= inner.top + inner.height &&
    outer.left + outer.width >= inner.left + inner.width
  );
}
