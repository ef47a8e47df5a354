import { emptyGraph, evaluate, type Graph, GraphBuilder, inferShapes } from '@unitscope/onnx';
import { Random, zeros } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ReceptiveField, receptiveFields } from '../src/receptive-field.js';

interface Step {
  readonly operator: 'Conv' | 'MaxPool' | 'AveragePool' | 'ConvTranspose';
  readonly kernel: number;
  readonly stride?: number;
  readonly pad?: number;
  readonly dilation?: number;
}

/** One channel, square windows, weights that are all positive: what a unit sees changes it. */
function stack(steps: readonly Step[], size: number): { graph: Graph; values: string[] } {
  const builder = new GraphBuilder(emptyGraph('stack', 18));
  let value = builder.input({ name: 'x', type: 'float32', dims: [1, 1, size, size] });
  const values = steps.map(({ operator, kernel, stride = 1, pad = 0, dilation = 1 }) => {
    const weighted = operator === 'Conv' || operator === 'ConvTranspose';
    const weight = builder.floats(new Array(kernel * kernel).fill(1), [1, 1, kernel, kernel]);
    value = builder.node(operator, weighted ? [value, weight] : [value], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      ...(operator === 'AveragePool' ? {} : { dilations: [dilation, dilation] }),
    });
    return value;
  });
  builder.output({ name: value, type: 'float32', dims: undefined });
  return { graph: builder.build(), values };
}

function fieldsOf(graph: Graph): Map<string, ReceptiveField> {
  return receptiveFields(graph, inferShapes(graph), 'x');
}

/** Per row of the map, the first and last row of the picture that it depends on, by trying each. */
function observed(graph: Graph, value: string, size: number): Map<number, { first: number; last: number }> {
  const infer = inferShapes(graph);
  const dims = infer.dims(value)!.map(Number);
  const [, , height = 0, width = 0] = dims;
  const seen = new Map<number, { first: number; last: number }>();
  const run = (x: ReturnType<typeof zeros>) => evaluate(graph, { x }, { outputs: [value] }).get(value)!.data;
  // Each picture has one row that stands out, in all its columns, so that a maximum shows it too.
  const base = run(zeros([1, 1, size, size]));
  for (let row = 0; row < size; row++) {
    const picture = zeros([1, 1, size, size]);
    picture.data.fill(1, row * size, (row + 1) * size);
    const changed = run(picture);
    for (let i = 0; i < height; i++) {
      const differs = Array.from({ length: width }, (_, j) => i * width + j).some(
        (at) => changed[at] !== base[at],
      );
      if (!differs) continue;
      const known = seen.get(i);
      seen.set(i, { first: known?.first ?? row, last: row });
    }
  }
  return seen;
}

/** What the geometry says, cut to the picture. */
function stated({ size, stride, offset }: ReceptiveField, row: number, picture: number) {
  const first = offset[0] + row * stride[0];
  return { first: Math.max(0, first), last: Math.min(picture - 1, first + size[0] - 1) };
}

describe('receptiveFields by hand', () => {
  const step = (operator: Step['operator'], kernel: number, stride: number, pad: number): Step => ({
    operator,
    kernel,
    stride,
    pad,
  });

  it('gives the known geometry of AlexNet (Caffe)', () => {
    const { graph, values } = stack(
      [
        step('Conv', 11, 4, 0),
        step('MaxPool', 3, 2, 0),
        step('Conv', 5, 1, 2),
        step('MaxPool', 3, 2, 0),
        step('Conv', 3, 1, 1),
        step('Conv', 3, 1, 1),
        step('Conv', 3, 1, 1),
        step('MaxPool', 3, 2, 0),
      ],
      227,
    );
    const fields = fieldsOf(graph);
    const all = values.map((value) => {
      const { size, stride, offset, centre } = fields.get(value)!;
      return [size[0], stride[0], offset[0], centre[0]];
    });
    expect(all).toEqual([
      [11, 4, 0, 5],
      [19, 8, 0, 9],
      [51, 8, -16, 9],
      [67, 16, -16, 17],
      [99, 16, -32, 17],
      [131, 16, -48, 17],
      [163, 16, -64, 17],
      [195, 32, -64, 33],
    ]);
  });

  it('gives the known geometry of VGG-16: conv5_3 sees 196 pixels at stride 16, the first centre at 7.5', () => {
    const blocks = [2, 2, 3, 3, 3];
    const steps = blocks.flatMap((count, block) => [
      ...(block === 0 ? [] : [step('MaxPool', 2, 2, 0)]),
      ...new Array<Step>(count).fill(step('Conv', 3, 1, 1)),
    ]);
    const { graph, values } = stack(steps, 224);
    const field = fieldsOf(graph).get(values.at(-1)!)!;
    expect(field).toEqual({ size: [196, 196], stride: [16, 16], offset: [-90, -90], centre: [7.5, 7.5] });
  });

  it('keeps height and width apart and takes asymmetric padding from the beginning', () => {
    const builder = new GraphBuilder(emptyGraph('g', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 1, 'h', 'w'] });
    const weight = builder.floats(new Array(15).fill(1), [1, 1, 3, 5]);
    const y = builder.node('Conv', [x, weight], { strides: [2, 1], pads: [0, 3, 1, 1], dilations: [1, 2] });
    builder.output({ name: y, type: 'float32', dims: undefined });
    expect(fieldsOf(builder.build()).get(y)).toEqual({
      size: [3, 9],
      stride: [2, 1],
      offset: [0, -3],
      centre: [1, 1],
    });
  });

  it('resolves auto_pad, and says nothing where the padding depends on an unknown size', () => {
    const build = (size: number | string) => {
      const builder = new GraphBuilder(emptyGraph('g', 18));
      const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 1, size, size] });
      const weight = builder.floats(new Array(9).fill(1), [1, 1, 3, 3]);
      const y = builder.node('Conv', [x, weight], { strides: [2, 2], auto_pad: 'SAME_UPPER' }, { name: 'y' });
      builder.output({ name: y, type: 'float32', dims: undefined });
      return fieldsOf(builder.build()).get('y:out');
    };
    expect(build(8)!.offset).toEqual([0, 0]);
    expect(build(9)!.offset).toEqual([-1, -1]);
    expect(build('side')).toBeUndefined();
  });

  it('takes the branch that sees most, ignores gates, and ends where places are lost', () => {
    const builder = new GraphBuilder(emptyGraph('g', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 1, 8, 8] });
    const conv = (from: string, k: number) =>
      builder.node('Conv', [from, builder.floats(new Array(k * k).fill(1), [1, 1, k, k])], {
        pads: new Array(4).fill((k - 1) / 2),
      });
    const sum = builder.node('Add', [x, conv(conv(x, 3), 3)]);
    const joined = builder.node('Concat', [conv(x, 7), sum], { axis: 1 });
    const pooled = builder.node('GlobalAveragePool', [joined]);
    const gated = builder.node('Mul', [builder.node('Sigmoid', [pooled]), joined]);
    const flat = builder.node('Flatten', [gated]);
    builder.output({ name: flat, type: 'float32', dims: undefined });
    const fields = fieldsOf(builder.build());
    const rows = (value: string) => [fields.get(value)?.size[0], fields.get(value)?.offset[0]];
    expect(rows(sum)).toEqual([5, -2]);
    expect(rows(joined)).toEqual([7, -3]);
    expect(rows(pooled)).toEqual([14, -3]);
    expect(rows(gated)).toEqual([7, -3]);
    expect(fields.get(flat)).toBeUndefined();
  });

  it('follows Pad and Slice', () => {
    const builder = new GraphBuilder(emptyGraph('g', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 1, 8, 8] });
    const padded = builder.node('Pad', [x, builder.ints([0, 0, 2, 1, 0, 0, 2, 1])]);
    const ints = (values: readonly number[]) => builder.ints(values);
    const cut = builder.node('Slice', [padded, ints([3, -4]), ints([12, 10]), ints([2, 3]), ints([2, 1])]);
    builder.output({ name: cut, type: 'float32', dims: undefined });
    const fields = fieldsOf(builder.build());
    expect(fields.get(padded)!.offset).toEqual([-2, -1]);
    expect(fields.get(cut)).toMatchObject({ stride: [2, 1], offset: [1, 5] });
  });
});

describe('receptiveFields by trying every pixel', () => {
  const windowed = fc.record({
    operator: fc.constantFrom<Step['operator']>('Conv', 'MaxPool', 'AveragePool'),
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 2 }),
    pad: fc.integer({ min: 0, max: 1 }),
    dilation: fc.integer({ min: 1, max: 2 }),
  });
  it('agrees for stacks of windows', () => {
    fc.assert(
      fc.property(fc.array(windowed, { minLength: 1, maxLength: 3 }), (steps) => {
        fc.pre(steps.every(({ pad, kernel }) => pad < kernel));
        const size = 29;
        // The mean is over a window without holes.
        const usable = steps.map((step) =>
          step.operator === 'AveragePool' ? { ...step, dilation: 1 } : step,
        );
        const { graph, values } = stack(usable, size);
        const value = values.at(-1)!;
        const field = fieldsOf(graph).get(value)!;
        for (const [row, range] of observed(graph, value, size)) {
          const first = field.offset[0] + row * field.stride[0];
          const said = { first, last: first + field.size[0] - 1 };
          // A unit at the border may miss more than the picture's end cuts off: padding lies between the layers too.
          if (said.first >= 0 && said.last < size) expect(range).toEqual(said);
          expect(range.first).toBeGreaterThanOrEqual(said.first);
          expect(range.last).toBeLessThanOrEqual(said.last);
        }
      }),
      { seed: 7, numRuns: 30 },
    );
  });

  it('agrees for residual branches of random kernels', () => {
    const random = new Random(3);
    for (let round = 0; round < 8; round++) {
      const builder = new GraphBuilder(emptyGraph('g', 18));
      const size = 13;
      const x = builder.input({ name: 'x', type: 'float32', dims: [1, 1, size, size] });
      const conv = (from: string, stride: number) => {
        const k = 1 + 2 * random.integer(0, 2);
        const weight = builder.floats(new Array(k * k).fill(0.5), [1, 1, k, k]);
        return builder.node('Conv', [from, weight], {
          pads: new Array(4).fill((k - 1) / 2),
          strides: [stride, stride],
        });
      };
      const stride = random.integer(1, 2);
      const sum = builder.node('Add', [conv(x, stride), conv(conv(x, 1), stride)]);
      builder.output({ name: sum, type: 'float32', dims: undefined });
      const graph = builder.build();
      const field = fieldsOf(graph).get(sum)!;
      for (const [row, range] of observed(graph, sum, size)) expect(range).toEqual(stated(field, row, size));
    }
  });

  it('bounds what a ConvTranspose sees', () => {
    for (const [kernel, stride, pad] of [
      [2, 2, 0],
      [3, 2, 1],
      [4, 2, 1],
      [3, 1, 1],
      [5, 3, 2],
    ] as const) {
      const { graph, values } = stack([{ operator: 'ConvTranspose', kernel, stride, pad }], 7);
      const field = fieldsOf(graph).get(values[0]!)!;
      expect(field.stride[0]).toBe(1 / stride);
      const seen = observed(graph, values[0]!, 7);
      expect(Math.max(...[...seen.values()].map(({ first, last }) => last - first + 1))).toBe(field.size[0]);
      expect(seen.get(0)!.first).toBe(Math.max(0, field.offset[0]));
    }
  });
});
