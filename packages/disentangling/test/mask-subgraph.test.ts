import { compile, gradient } from '@unitscope/autodiff';
import { maskForwardSync } from '@unitscope/kernels';
import { emptyGraph, evaluate, type Graph, GraphBuilder, inferShapes } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MapShape, type MaskSubgraphOptions, maskSubgraph } from '../src/index.js';
import { expectClose, randomMaps, runOnRuntime } from './support/arrays.js';
import { Golden, readExample, sharedFile } from './support/goldens.js';

interface MaskGraph {
  readonly graph: Graph;
  readonly masked: string;
  readonly mask: string;
}

function maskGraph(shape: MapShape, options: MaskSubgraphOptions = {}, opset = 18): MaskGraph {
  const builder = new GraphBuilder(emptyGraph('mask', opset));
  const { channels, height, width } = shape;
  const dims = ['N', channels, height, width];
  builder.input({ name: 'x', type: 'float32', dims });
  const { masked, mask } = maskSubgraph(builder, 'x', shape, options);
  builder.output({ name: masked, type: 'float32', dims });
  builder.output({ name: mask, type: 'float32', dims });
  return { graph: builder.build(), masked, mask };
}

/** y and the mask of every map straight from the definition, in float64, for maps that are not negative. */
function slowMask(
  { dims, data }: Tensor,
  reading: 'paper' | 'released',
  slopes: ArrayLike<number>,
): { masked: Float64Array; mask: Float64Array } {
  const [, channels = 0, height = 0, width = 0] = dims;
  const cells = height * width;
  const mask = Float64Array.from(data, (_, at) => {
    const map = Math.floor(at / cells);
    const values = Array.from(data.subarray(map * cells, (map + 1) * cells));
    const [i, j] = [Math.floor((at % cells) / width), at % width];
    const slope = slopes[map % channels]!;
    if (reading === 'paper') {
      const part = values.indexOf(Math.max(...values));
      const [row, column] = [Math.floor(part / width), part % width];
      return Math.max(1 - slope * (Math.abs(i - row) / height + Math.abs(j - column) / width), 0);
    }
    const mass = Math.max(
      values.reduce((sum, value) => sum + value, 0),
      1e-9,
    );
    const centre = (place: (cell: number) => number) =>
      Math.max(1, Math.round(values.reduce((sum, value, cell) => sum + (place(cell) + 1) * value, 0) / mass));
    const on = (cell: number, size: number) => (size === 1 ? 1 : -1 + (2 * cell) / (size - 1));
    const row = centre((cell) => Math.floor(cell / width)) - 1;
    const column = centre((cell) => cell % width) - 1;
    const distance = Math.abs(on(i, height) - on(row, height)) + Math.abs(on(j, width) - on(column, width));
    return Math.max(1 - slope * distance, 0);
  });
  return { mask, masked: mask.map((value, at) => value * data[at]!) };
}

/** dx of the mask for a signal dy, by the compiler of backward passes. */
function backward({ graph, masked }: MaskGraph, x: Tensor, dy: Tensor): Float64Array {
  const compiled = compile(graph, {
    objective: { kind: 'seed', value: masked },
    wrt: ['x'],
    composite: gradient,
  });
  const dx = compiled.signals.get('x')!;
  return evaluate(compiled.graph, { x, [compiled.targetInput]: dy }).get(dx)!.data;
}

describe('maskSubgraph', () => {
  it('is what its definition says, for every size, both readings, in float64 and on ONNX Runtime', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          reading: fc.constantFrom('paper' as const, 'released' as const),
          batch: fc.integer({ min: 1, max: 3 }),
          channels: fc.integer({ min: 1, max: 3 }),
          height: fc.integer({ min: 1, max: 15 }),
          width: fc.integer({ min: 1, max: 15 }),
          slope: fc.constantFrom(1.5, 2, 4, 4.3),
          seed: fc.integer({ min: 1, max: 99 }),
        }),
        async ({ reading, batch, seed, slope, ...shape }) => {
          const { channels, height, width } = shape;
          const slopes = Float32Array.from({ length: channels }, (_, channel) => slope + 0.25 * channel);
          const made = maskGraph(shape, { reading, slope: slopes });
          const x = randomMaps([batch, channels, height, width], seed);
          const expected = slowMask(x, reading, slopes);
          const exact = evaluate(made.graph, { x });
          expectClose(exact.get(made.masked)!.data, expected.masked, 1e-6, 1e-6);
          const run = await runOnRuntime(made.graph, { x });
          const largest = x.data.reduce((most, value) => Math.max(most, value), 0);
          expectClose(run[made.mask]!.data as Float32Array, expected.mask, 0, 2e-6);
          expectClose(run[made.masked]!.data as Float32Array, expected.masked, 0, 2e-6 * largest);
        },
      ),
      { numRuns: 20, seed: 4 },
    );
  });

  it('gives the bits of the native kernel on square maps', async () => {
    for (const size of [1, 4, 7, 9, 13, 14, 27]) {
      const made = maskGraph({ channels: 5, height: size, width: size });
      const x = randomMaps([2, 5, size, size], size);
      x.data.fill(0, 0, size * size);
      const run = await runOnRuntime(made.graph, { x });
      expect(run[made.masked]!.data).toEqual(maskForwardSync(x).y.data);
    }
  });

  it('ends exactly at n / beta cells', () => {
    for (let size = 4; size <= 60; size += 4) {
      const made = maskGraph({ channels: 1, height: size, width: size });
      const data = new Float32Array(size * size).fill(1);
      data[0] = 2;
      const mask = evaluate(made.graph, { x: { dims: [1, 1, size, size], data } }).get(made.mask)!.data;
      expect(mask[size / 4]).toBe(0);
      expect(mask[size / 4 - 1]).toBeGreaterThan(0);
    }
  });

  it('passes dy max(T, 0) back, the part held where it is, whatever x is at a cell', () => {
    for (const reading of ['paper', 'released'] as const) {
      const shape = { channels: 3, height: 6, width: 5 };
      const made = maskGraph(shape, { reading });
      const x = randomMaps([2, 3, 6, 5], 3);
      const dy = new Random(8).normalTensor(x.dims);
      const mask = evaluate(made.graph, { x }).get(made.mask)!.data;
      expectClose(
        backward(made, x, dy),
        mask.map((value, at) => value * dy.data[at]!),
        1e-12,
      );
    }
  });

  it('needs no newer operators than those of version 8', async () => {
    for (const reading of ['paper', 'released'] as const) {
      const made = maskGraph({ channels: 2, height: 4, width: 6 }, { reading }, 8);
      const x = randomMaps([2, 2, 4, 6], 5);
      const run = await runOnRuntime({ ...made.graph, irVersion: 3 }, { x });
      const { masked } = slowMask(x, reading, reading === 'paper' ? [4, 4] : [2, 2]);
      expectClose(run[made.masked]!.data as Float32Array, masked, 0, 4e-6);
    }
  });

  it('keeps the batch open, and its shapes can be inferred', () => {
    const made = maskGraph({ channels: 2, height: 4, width: 6 }, { reading: 'released' });
    const shapes = inferShapes(made.graph, { inputs: { x: ['N', 2, 4, 6] } });
    expect(shapes.dims(made.masked)).toEqual(['N', 2, 4, 6]);
  });

  it('refuses slopes that are none', () => {
    const shape = { channels: 2, height: 4, width: 4 };
    expect(() => maskGraph(shape, { slope: Float32Array.of(4) })).toThrow(/one of each of 2 channels/);
    expect(() => maskGraph(shape, { slope: Number.NaN })).toThrow(/finite and at least 0/);
  });
});

const example = sharedFile('spec/icnn_templates_mask_n4.json');

describe.skipIf(example === undefined)('the worked example of 4 x 4 cells', () => {
  const known = example === undefined ? undefined : readExample('icnn_templates_mask_n4.json');
  const flat = (rows: readonly (readonly number[])[]) => rows.flat();
  const shape = { channels: 1, height: 4, width: 4 };
  const tensor = (rows: readonly (readonly number[])[]): Tensor => ({
    dims: [1, 1, rows.length, rows.length],
    data: Float32Array.from(flat(rows)),
  });

  it('is masked and differentiated as it says, in the unit scale', async () => {
    const made = maskGraph(shape);
    const x = tensor(known.x);
    expectClose(evaluate(made.graph, { x }).get(made.masked)!.data, flat(known.masked_unit_scale), 1e-7);
    const run = await runOnRuntime(made.graph, { x });
    expectClose(run[made.masked]!.data, flat(known.masked_unit_scale), 1e-7);
    expectClose(backward(made, x, tensor(known.upstream_grad)), flat(known.grad_x_unit_scale), 1e-7);
  });

  it('is masked around its centroid as the released code does', async () => {
    const made = maskGraph(shape, { reading: 'released', slope: known.released_code.beta_code });
    const run = await runOnRuntime(made.graph, { x: tensor(known.x) });
    expectClose(run[made.masked]!.data, flat(known.released_code.masked), 1e-7);
    const clipped = flat(known.released_code.mask_unclipped).map((value) => Math.max(value, 0));
    expectClose(run[made.mask]!.data, clipped, 0, 2e-7);
  });

  it('takes the first of equal maxima in row-major order', async () => {
    const made = maskGraph({ channels: 1, height: 3, width: 3 });
    const run = await runOnRuntime(made.graph, { x: tensor(known.tie_example.x) });
    const [row, column] = known.tie_example.row_major_first;
    expect(run[made.mask]!.data[3 * row + column]).toBe(1);
  });
});

describe.each(['icnn_n9', 'icnn_n14'])('golden %s', (name) => {
  const there = sharedFile(`goldens/${name}/manifest.json`) !== undefined;

  it.skipIf(!there)('is masked by the paper and by the released code', async () => {
    const golden = new Golden(name);
    const { dims, data } = golden.read('x');
    const [, channels = 0, height = 0, width = 0] = dims;
    const shape = { channels, height, width };
    const x = { dims, data: Float32Array.from(data) };
    const paper = maskGraph(shape);
    const run = await runOnRuntime(paper.graph, { x });
    expectClose(run[paper.masked]!.data, golden.read('masked_relu_unit').data, 2e-7, 1e-7);
    const signal = golden.read('upstream_grad').data;
    const dx = backward(paper, x, { dims, data: Float32Array.from(signal) });
    const vjp = golden.read('masked_relu_tau_vjp').data;
    // The golden's derivative at cells where x is 0 is that of its last ReLU, which is 0 there.
    const kept = dx.map((value, at) => (data[at] === 0 ? 0 : value * golden.manifest.tau));
    expectClose(kept, vjp, 2e-7, 1e-12);
    const released = maskGraph(shape, { reading: 'released' });
    const again = await runOnRuntime(released.graph, { x });
    expectClose(again[released.masked]!.data, golden.read('adashen_masked').data, 2e-6, 1e-6);
  });
});
