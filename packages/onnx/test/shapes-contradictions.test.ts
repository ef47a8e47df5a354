import { UnitscopeError } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type Constant, type Graph, type GraphBuilder, inferShapes } from '../src/index.js';
import {
  expectShapes,
  floats,
  graphOf,
  int,
  ints,
  type NodeCase,
  nodeGraph,
  observe,
} from './shapes-runtime.js';

vi.setConfig({ testTimeout: 120_000 });

function errorOf(graph: Graph): UnitscopeError {
  try {
    inferShapes(graph);
  } catch (error) {
    if (error instanceof UnitscopeError) return error;
    throw error;
  }
  return expect.fail('the graph was accepted');
}

const plane = [4, 6, 8];
const int64 = (...values: bigint[]): Constant => ({
  type: 'int64',
  dims: [values.length],
  data: BigInt64Array.from(values),
});

/** Cases ONNX Runtime refuses too, when it loads the model or when it runs it. */
const CONTRADICTIONS: readonly NodeCase[] = [
  { operator: 'Conv', opset: 11, sample: plane, constants: [floats([2, 3, 3, 3])] },
  { operator: 'Conv', opset: 11, sample: plane, constants: [floats([2, 4, 3])] },
  { operator: 'Conv', opset: 11, sample: plane, constants: [floats([3, 2, 3, 3])], attributes: { group: 2 } },
  { operator: 'Conv', opset: 11, sample: plane, constants: [floats([2, 4, 7, 3])] },
  {
    operator: 'Conv',
    opset: 11,
    sample: plane,
    constants: [floats([2, 4, 3, 3])],
    attributes: { pads: [1, 1] },
  },
  { operator: 'ConvTranspose', opset: 11, sample: plane, constants: [floats([3, 2, 3, 3])] },
  { operator: 'MaxPool', opset: 12, sample: plane, attributes: { kernel_shape: [3] } },
  { operator: 'MaxPool', opset: 12, sample: plane },
  { operator: 'MaxPool', opset: 12, sample: plane, attributes: { kernel_shape: [9, 9] } },
  { operator: 'MaxPool', opset: 12, sample: plane, attributes: { kernel_shape: [2, 2], strides: [0, 1] } },
  { operator: 'Gemm', opset: 13, sample: [5], constants: [floats([4, 3])] },
  { operator: 'Gemm', opset: 13, sample: [5], constants: [floats([5, 3]), floats([4])] },
  { operator: 'Gemm', opset: 13, sample: [5, 1], constants: [floats([5, 3])] },
  { operator: 'MatMul', opset: 13, sample: [5], constants: [floats([4, 3])] },
  { operator: 'MatMul', opset: 13, sample: [2, 4, 5], constants: [floats([3, 5, 3])] },
  { operator: 'Add', opset: 13, sample: plane, constants: [floats([7])] },
  { operator: 'Where', opset: 13, sample: plane, constants: [floats([8]), floats([7])] },
  { operator: 'BatchNormalization', opset: 15, sample: plane, constants: Array(4).fill(floats([3])) },
  {
    operator: 'Concat',
    opset: 13,
    sample: plane,
    constants: [floats([1, 4, 6, 7])],
    attributes: { axis: 1 },
  },
  { operator: 'Concat', opset: 13, sample: plane, constants: [floats([4, 6, 8])], attributes: { axis: 1 } },
  { operator: 'Concat', opset: 13, sample: plane, attributes: { axis: 4 } },
  {
    operator: 'Split',
    opset: 13,
    sample: plane,
    constants: [ints(1, 2)],
    attributes: { axis: 1 },
    outputs: 2,
  },
  { operator: 'Split', opset: 13, sample: plane, attributes: { axis: 1 }, outputs: 3 },
  { operator: 'Slice', opset: 13, sample: plane, constants: [ints(0), ints(1, 2)] },
  { operator: 'Slice', opset: 13, sample: plane, constants: [ints(0), ints(1), ints(4)] },
  { operator: 'Slice', opset: 13, sample: plane, constants: [ints(0), ints(1), ints(1), ints(0)] },
  { operator: 'Pad', opset: 13, sample: plane, constants: [ints(0, 0, 1, 1)] },
  { operator: 'Reshape', opset: 13, sample: plane, constants: [ints(0, 5, -1)] },
  { operator: 'Reshape', opset: 13, sample: plane, constants: [ints(-1, -1)] },
  { operator: 'Reshape', opset: 13, sample: plane, constants: [ints(0, 0, 0, 0, 0)] },
  { operator: 'Transpose', opset: 13, sample: plane, attributes: { perm: [0, 1, 2] } },
  { operator: 'Transpose', opset: 13, sample: plane, attributes: { perm: [0, 1, 2, 2] } },
  { operator: 'Squeeze', opset: 13, sample: plane, constants: [ints(1)] },
  { operator: 'Unsqueeze', opset: 13, sample: plane, constants: [ints(6)] },
  { operator: 'Unsqueeze', opset: 13, sample: plane, constants: [ints(1, 1)] },
  { operator: 'Flatten', opset: 13, sample: plane, attributes: { axis: 5 } },
  { operator: 'Expand', opset: 13, sample: plane, constants: [ints(3, 1)] },
  { operator: 'Tile', opset: 13, sample: plane, constants: [ints(1, 2)] },
  { operator: 'DepthToSpace', opset: 13, sample: plane, attributes: { blocksize: 3 } },
  { operator: 'ReduceMean', opset: 13, sample: plane, attributes: { axes: [4] } },
  { operator: 'ArgMax', opset: 13, sample: plane, attributes: { axis: -5 } },
  { operator: 'TopK', opset: 13, sample: plane, constants: [ints(9)], outputs: 2 },
  { operator: 'Gather', opset: 13, sample: plane, constants: [int(0)], attributes: { axis: 4 } },
  { operator: 'GatherElements', opset: 13, sample: plane, constants: [ints(0)] },
  { operator: 'ScatterElements', opset: 13, sample: [5], constants: [ints(0), floats([1])] },
];

/** Cases the standard forbids and ONNX Runtime computes all the same, or dies of. */
const ONLY_HERE: readonly NodeCase[] = [
  { operator: 'PRelu', opset: 9, sample: [4, 1, 8], constants: [floats([4, 6, 1])] },
  { operator: 'Resize', opset: 13, sample: plane, constants: ['', floats([2], [2, 2])] },
  { operator: 'Resize', opset: 13, sample: plane, constants: ['', floats([4], [1, 1, -1, 1])] },
];

/** Cases that must end at once, whatever the sizes; `undefined` where they are left alone, else a part of the error. */
const HOSTILE: readonly (readonly [
  string,
  string | undefined,
  (builder: GraphBuilder, x: string) => void,
])[] = [
  [
    'a ConstantOfShape of 2^60 elements',
    'no sizes',
    (b) => b.node('ConstantOfShape', [b.constant(int64(2n ** 60n))]),
  ],
  [
    'dims whose product overflows',
    'counted',
    (b) => b.node('ConstantOfShape', [b.constant(int64(2n ** 30n, 2n ** 30n))]),
  ],
  [
    'a ConstantOfShape of 2^40 elements',
    undefined,
    (b) => b.node('ConstantOfShape', [b.constant(int64(2n ** 40n))]),
  ],
  ['a negative size', 'no sizes', (b) => b.node('ConstantOfShape', [b.ints([-1])])],
  ['an Expand to 2^40', undefined, (b) => b.node('Expand', [b.ints([1]), b.constant(int64(2n ** 40n))])],
  [
    'a Range to 2^50',
    undefined,
    (b) => b.node('Range', [b.ints(0), b.constant({ ...int64(2n ** 50n), dims: [] }), b.ints(1)]),
  ],
  ['a Range without a step', 'delta', (b) => b.node('Range', [b.ints(0), b.ints(9), b.ints(0)])],
  ['a Tile by 2^62', 'no sizes', (b, x) => b.node('Tile', [x, b.constant(int64(1n, 2n ** 62n))])],
  ['pads of -9', 'no sizes', (b, x) => b.node('Pad', [x, b.ints([0, -9, 0, 0])])],
  ['a Reshape to 1000 axes', 'axes', (b, x) => b.node('Reshape', [x, b.ints(new Array(1000).fill(1))])],
  ['a Reshape to size -2', 'no sizes', (b, x) => b.node('Reshape', [x, b.ints([-2, -1])])],
  [
    'an initializer of 65 axes',
    'axes',
    (b) => b.node('Identity', [b.constant(floats(new Array(65).fill(1)))]),
  ],
  ['an Add without a second input', 'missing', (b, x) => b.node('Add', [x, ''])],
  ['a value nobody makes', 'nothing makes', (b) => b.node('Relu', ['dangling'])],
  [
    'a window of 2^40',
    '2^31',
    (b, x) => b.node('MaxPool', [b.node('Reshape', [x, b.ints([1, 1, -1])])], { kernel_shape: [2 ** 40] }),
  ],
  ['an index outside of the axis', 'index', (b, x) => b.node('Gather', [b.node('Shape', [x]), b.ints([2])])],
];

describe('contradictions', () => {
  it.each(CONTRADICTIONS)(
    '$operator of $sample, $attributes (%#) is an error that names the node',
    async (test) => {
      const graph = nodeGraph(test);
      const error = errorOf(graph);
      expect(error.code).toBe('bad-file');
      expect(error.message).toContain(`(${test.operator})`);
      await expect(observe(graph, { x: [3, ...test.sample] })).rejects.toThrow();
    },
  );

  it.each(ONLY_HERE)('$operator of $sample (%#) is an error by the standard alone', (test) => {
    const error = errorOf(nodeGraph(test));
    expect(error.code).toBe('bad-file');
    expect(error.message).toContain(`(${test.operator})`);
  });

  it.each(HOSTILE)('%s', (_, part, write) => {
    const graph = graphOf(13, [4], write);
    if (part === undefined) {
      const shapes = inferShapes(graph);
      expect(shapes.constant(graph.nodes.at(-1)!.outputs[0]!)).toBeUndefined();
      expect(shapes.dims(graph.nodes.at(-1)!.outputs[0]!)).toHaveLength(1);
      return;
    }
    const error = errorOf(graph);
    expect(error.code).toBe('bad-file');
    expect(error.message).toContain(part);
  });

  it('stays fast where every node doubles a name or a list', () => {
    const graph = graphOf(13, [4], (builder, x) => {
      const shape = builder.node('Shape', [x]);
      let size = builder.node('Gather', [shape, builder.ints(0)]);
      let list = shape;
      const one = builder.ints(1);
      for (let i = 0; i < 400; i++) {
        size = builder.node(i % 2 === 0 ? 'Mul' : 'Div', [size, builder.node('Sub', [size, one])]);
        list = i < 40 ? builder.node('Concat', [list, list], { axis: 0 }) : builder.node('Add', [list, one]);
      }
      builder.node('Unsqueeze', [size, builder.ints([0])], {}, { name: 'last' });
    });
    const shapes = inferShapes(graph);
    expect(shapes.dims('last:out')).toEqual([1]);
    expect(shapes.constant('last:out')).toBeUndefined();
  });

  it('leaves an operator it does not know unknown, or refuses it if asked to', () => {
    const graph = graphOf(13, [4], (builder, x) => {
      const odd = builder.node('Mystery', [x], {}, { domain: 'elsewhere' });
      builder.node('Relu', [odd]);
    });
    const shapes = inferShapes(graph);
    expect(shapes.dims('Relu:out')).toBeUndefined();
    expect(() => shapes.type('Relu:out')).toThrow(/type of Relu:out/);
    expect(() => inferShapes(graph, { onUnknown: () => false })).toThrow(/Mystery.*not known/);
    const rules = new Map([['elsewhere::Mystery', () => [{ type: 'float32', dims: ['N', 7] } as const]]]);
    expect(inferShapes(graph, { rules }).dims('Relu:out')).toEqual(['N', 7]);
  });

  it('refuses dims for an input that is none, and operator sets before 7', () => {
    const relu = (builder: GraphBuilder, x: string) => void builder.node('Relu', [x]);
    expect(() => inferShapes(graphOf(13, [4], relu), { inputs: { y: [1] } })).toThrow(/"y".*no input/);
    expect(() => inferShapes(graphOf(6, [4], relu))).toThrow(/operator set 6/);
  });
});

describe('broadcasting', () => {
  const dims = fc.array(fc.constantFrom(1, 1, 2, 3), { maxLength: 4 });

  it('agrees with ONNX Runtime on which dims can be broadcast, and to what', async () => {
    await fc.assert(
      fc.asyncProperty(dims, dims, dims, async (sample, other, third) => {
        const graph = graphOf(13, sample, (builder, x) => {
          const sum = builder.node('Sum', [
            x,
            builder.constant(floats(other)),
            builder.constant(floats(third)),
          ]);
          builder.node('Mul', [builder.constant(floats(other)), sum]);
        });
        const fixed = { inputs: { x: [2, ...sample] } };
        const observed = await observe(graph, { x: [2, ...sample] }).catch(() => undefined);
        if (observed === undefined) {
          expect(() => inferShapes(graph, fixed)).toThrow(/broadcast/);
        } else {
          expectShapes(inferShapes(graph, fixed), observed, {});
          expectShapes(inferShapes(graph), observed, { N: 2 });
        }
      }),
      { numRuns: 300, seed: 8 },
    );
  });
});
