import { describe, expect, it } from 'vitest';
import { type Constant, type GraphBuilder, inferShapes } from '../src/index.js';
import { expectBatched, floats, graphOf, int, ints, observe } from './shapes-runtime.js';

function numbersOf(constant: Constant | undefined): readonly number[] | undefined {
  return constant === undefined ? undefined : [...constant.data].map(Number);
}

/** The size of one axis of a value, as exporters ask for it: Shape, Gather, and Unsqueeze where it is to be joined. */
function sizeOf(builder: GraphBuilder, value: string, axis: number): string {
  return builder.node('Gather', [builder.node('Shape', [value]), builder.ints(axis)]);
}

function joined(builder: GraphBuilder, ...sizes: readonly string[]): string {
  const parts = sizes.map((size) => builder.node('Unsqueeze', [size, builder.ints([0])]));
  return builder.node('Concat', parts, { axis: 0 });
}

describe('shapes computed inside the network', () => {
  it('keeps the batch through x.view(x.size(0), -1)', async () => {
    const graph = graphOf(13, [4, 3, 3], (builder, x) => {
      const shape = joined(builder, sizeOf(builder, x, 0), builder.ints(-1));
      builder.node('Reshape', [x, shape], {}, { name: 'flat' });
    });
    const shapes = await expectBatched(graph, [4, 3, 3]);
    expect(shapes.dims('flat:out')).toEqual(['N', 36]);
    expect(shapes.constant('Concat:out')).toBeUndefined();
  });

  it('keeps the batch through the channel shuffle x.view(n, groups, c // groups, h, w)', async () => {
    const graph = graphOf(13, [6, 4, 5], (builder, x) => {
      const [n, c, h, w] = [0, 1, 2, 3].map((axis) => sizeOf(builder, x, axis)) as [
        string,
        string,
        string,
        string,
      ];
      const perGroup = builder.node('Div', [c, builder.ints(2)], {}, { name: 'perGroup' });
      const grouped = builder.node('Reshape', [x, joined(builder, n, builder.ints(2), perGroup, h, w)]);
      const swapped = builder.node('Transpose', [grouped], { perm: [0, 2, 1, 3, 4] });
      builder.node('Reshape', [swapped, joined(builder, n, c, h, w)], {}, { name: 'shuffled' });
    });
    const shapes = await expectBatched(graph, [6, 4, 5]);
    expect(shapes.dims('shuffled:out')).toEqual(['N', 6, 4, 5]);
    expect(numbersOf(shapes.constant('perGroup:out'))).toEqual([3]);
  });

  it('follows a target that folds the batch with other axes and takes it apart again', async () => {
    const graph = graphOf(13, [8, 4, 4], (builder, x) => {
      const n = sizeOf(builder, x, 0);
      const rows = builder.node('Mul', [n, builder.ints(8)]);
      const flat = builder.node(
        'Reshape',
        [x, joined(builder, rows, builder.ints(16))],
        {},
        { name: 'rows' },
      );
      builder.node('Reshape', [flat, builder.ints([-1, 8, 16])], {}, { name: 'apart' });
      builder.node('Reshape', [flat, joined(builder, n, builder.ints(-1))], {}, { name: 'other' });
    });
    const shapes = await expectBatched(graph, [8, 4, 4]);
    expect(shapes.dims('rows:out')).toEqual(['8*N', 16]);
    expect(shapes.dims('apart:out')).toEqual(['N', 8, 16]);
    expect(shapes.dims('other:out')).toEqual(['N', 128]);
  });

  it('resizes to sizes computed from the input: shape, cast, times 2, floor, cast', async () => {
    const graph = graphOf(13, [3, 5, 7], (builder, x) => {
      const shape = builder.node('Shape', [x]);
      const spatial = builder.node('Slice', [shape, builder.ints([2]), builder.ints([4]), builder.ints([0])]);
      const floating = builder.node('Cast', [spatial], { to: 1 });
      const larger = builder.node('Floor', [builder.node('Mul', [floating, builder.floats([1.5, 2])])]);
      const front = builder.node('Slice', [shape, builder.ints([0]), builder.ints([2]), builder.ints([0])]);
      const sizes = builder.node('Concat', [front, builder.node('Cast', [larger], { to: 7 })], { axis: 0 });
      builder.node('Resize', [x, '', '', sizes], {}, { name: 'larger' });
    });
    const shapes = await expectBatched(graph, [3, 5, 7]);
    expect(shapes.dims('larger:out')).toEqual(['N', 3, 7, 14]);
  });

  it('expands as PyTorch exports it: Where(Equal(shape, -1), 1, shape)', async () => {
    const graph = graphOf(13, [1, 6], (builder, x) => {
      const shape = joined(builder, sizeOf(builder, x, 0), builder.ints(4), builder.ints(-1));
      const filled = builder.node('ConstantOfShape', [builder.ints([3])], { value: ints(1) });
      const minus = builder.node('Mul', [filled, builder.ints(-1)]);
      const chosen = builder.node('Where', [builder.node('Equal', [shape, minus]), filled, shape]);
      builder.node('Expand', [x, chosen], {}, { name: 'expanded' });
    });
    const shapes = await expectBatched(graph, [1, 6]);
    expect(shapes.dims('expanded:out')).toEqual(['N', 4, 6]);
  });

  it('pads as PyTorch exports it: reshape to pairs, reverse by a negative step, transpose, flatten', async () => {
    const graph = graphOf(13, [2, 5, 5], (builder, x) => {
      const missing = builder.node('ConstantOfShape', [builder.ints([4])], { value: ints(0) });
      const all = builder.node('Concat', [builder.ints([1, 2, 3, 4]), missing], { axis: 0 });
      const pairs = builder.node('Reshape', [all, builder.ints([-1, 2])]);
      const reversed = builder.node('Slice', [
        pairs,
        builder.ints([-1]),
        builder.constant({ type: 'int64', dims: [1], data: BigInt64Array.of(-(2n ** 63n) + 1n) }),
        builder.ints([0]),
        builder.ints([-1]),
      ]);
      const pads = builder.node('Reshape', [
        builder.node('Transpose', [reversed], { perm: [1, 0] }),
        builder.ints([-1]),
      ]);
      builder.node('Pad', [x, builder.node('Cast', [pads], { to: 7 })], {}, { name: 'padded' });
    });
    const shapes = await expectBatched(graph, [2, 5, 5]);
    expect(shapes.dims('padded:out')).toEqual(['N', 2, 12, 8]);
  });

  it('counts with Range, Size and reductions over a shape', async () => {
    const graph = graphOf(13, [3, 5], (builder, x) => {
      const shape = builder.node('Shape', [x]);
      const sample = builder.node('Slice', [shape, builder.ints([1]), builder.ints([3])]);
      const count = builder.node('ReduceProd', [sample], { keepdims: 0 }, { name: 'count' });
      builder.node('Range', [builder.ints(2), count, builder.ints(3)], {}, { name: 'range' });
      builder.node(
        'Range',
        [builder.ints(0), sizeOf(builder, x, 0), builder.ints(1)],
        {},
        { name: 'samples' },
      );
      builder.node('ReduceMax', [sample], { keepdims: 1 }, { name: 'most' });
      builder.node('Size', [x], {}, { name: 'size' });
      builder.node('Split', [shape, builder.ints([1, 2])], { axis: 0 }, { name: 'part' });
    });
    const shapes = await expectBatched(
      {
        ...graph,
        nodes: graph.nodes.map((node) =>
          node.operator === 'Split' ? { ...node, outputs: ['a', 'b'] } : node,
        ),
      },
      [3, 5],
    );
    expect(numbersOf(shapes.constant('range:out'))).toEqual([2, 5, 8, 11, 14]);
    expect(shapes.dims('samples:out')).toEqual(['N']);
    expect(numbersOf(shapes.constant('most:out'))).toEqual([5]);
    expect(shapes.constant('size:out')).toBeUndefined();
    expect(shapes.constant('a')).toBeUndefined();
    expect(numbersOf(shapes.constant('b'))).toEqual([3, 5]);
  });

  it('takes the dims the caller gives instead of those of the file', () => {
    const graph = graphOf(13, ['height', 'width'], (builder, x) => {
      builder.node('Relu', [x]);
    });
    const shapes = inferShapes(graph, { inputs: { x: [2, 30, 40] } });
    expect(shapes.dims('Relu:out')).toEqual([2, 30, 40]);
    expect(inferShapes(graph).dims('Relu:out')).toEqual(['N', 'height', 'width']);
  });

  it('names an unnamed size of the file after its input and axis', () => {
    const graph = graphOf(13, ['', 4], (builder, x) => {
      builder.node('Relu', [x]);
    });
    expect(inferShapes(graph).dims('Relu:out')).toEqual(['N', '?x_1', 4]);
  });
});

describe('sizes known at run time only', () => {
  it('gives equal symbols to equal formulas and sizes to none that differ', async () => {
    const graph = graphOf(13, [2, 'H', 'W'], (builder, x) => {
      const kernel = builder.constant(floats([2, 2, 3, 3]));
      const same = builder.node('Conv', [x, kernel], { pads: [1, 1, 1, 1] }, { name: 'same' });
      const half = builder.node(
        'Conv',
        [same, kernel],
        { pads: [1, 1, 1, 1], strides: [2, 2] },
        { name: 'half' },
      );
      const pooled = builder.node('MaxPool', [x], {
        kernel_shape: [3, 3],
        pads: [1, 1, 1, 1],
        strides: [2, 2],
      });
      builder.node('Add', [half, pooled], {}, { name: 'sum' });
      builder.node(
        'AveragePool',
        [x],
        { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 },
        { name: 'ceil' },
      );
      builder.node('Conv', [x, kernel], { auto_pad: 'SAME_UPPER', strides: [2, 1] }, { name: 'auto' });
      builder.node('Flatten', [x], {}, { name: 'flat' });
      builder.node(
        'Slice',
        [x, builder.ints([1]), builder.ints([-1]), builder.ints([2])],
        {},
        { name: 'slice' },
      );
      builder.node('Pad', [x, builder.ints([0, 0, 1, 0, 0, 0, 2, 0])], {}, { name: 'pad' });
      builder.node('GlobalAveragePool', [half], {}, { name: 'pool' });
    });
    const shapes = inferShapes(graph);
    expect(shapes.dims('same:out')).toEqual(['N', 2, 'H', 'W']);
    expect(shapes.dims('sum:out')).toEqual(shapes.dims('half:out'));
    expect(shapes.dims('half:out')).toEqual(['N', 2, 'floor((H-1)/2)+1', 'floor((W-1)/2)+1']);
    expect(shapes.dims('flat:out')).toEqual(['N', '2*H*W']);
    expect(shapes.dims('pad:out')).toEqual(['N', 2, 'H+3', 'W']);
    expect(shapes.dims('auto:out')).toEqual(['N', 2, 'ceil(H/2)', 'W']);
    expect(shapes.dims('pool:out')).toEqual(['N', 2, 1, 1]);
    for (const [height, width] of [
      [8, 9],
      [11, 6],
    ] as const) {
      const observed = await observe(graph, { x: [2, 2, height, width] });
      const fixed = inferShapes(graph, { inputs: { x: [2, 2, height, width] } });
      for (const [name, { dims }] of observed) expect(fixed.dims(name), name).toEqual(dims);
    }
  });
});

describe('names', () => {
  it('never takes a name of the file for a size it invents', () => {
    const graph = graphOf(13, ['8*N', 8], (builder, x) => {
      builder.node('Flatten', [x], { axis: 2 }, { name: 'rows' });
      const other = builder.input({ name: 'other', type: 'float32', dims: ['N', 8, 4] });
      builder.node('Reshape', [other, builder.ints([-1, 4])], {}, { name: 'flat' });
    });
    const shapes = inferShapes(graph);
    expect(shapes.dims('rows:out')).toEqual(['8*N*N', 8]);
    expect(shapes.dims('flat:out')).toEqual(['8*N_1', 4]);
  });
});

describe('constants', () => {
  it('gives initializers and Constant nodes of every form', () => {
    const graph = graphOf(13, [2], (builder) => {
      builder.node('Constant', [], { value: floats([2, 1], [1, 2]) }, { name: 'tensor' });
      builder.node('Constant', [], { value_float: { float: 0.5 } }, { name: 'float' });
      builder.node('Constant', [], { value_floats: { floats: [1, 2.5] } }, { name: 'floats' });
      builder.node('Constant', [], { value_int: 7 }, { name: 'int' });
      builder.node('Constant', [], { value_ints: [3, 4, 5] }, { name: 'ints' });
      builder.node('Identity', [builder.floats([1, 2, 3], [3], 'weight')], {}, { name: 'same' });
    });
    const shapes = inferShapes(graph);
    expect(shapes.constant('tensor:out')).toEqual(floats([2, 1], [1, 2]));
    expect(shapes.constant('float:out')).toEqual(floats([], [0.5]));
    expect(shapes.constant('floats:out')).toEqual(floats([2], [1, 2.5]));
    expect(shapes.constant('int:out')).toEqual(int(7));
    expect(shapes.constant('ints:out')).toEqual(ints(3, 4, 5));
    expect(numbersOf(shapes.constant('weight'))).toEqual([1, 2, 3]);
    expect(shapes.constant('same:out')?.data).toBe(shapes.constant('weight')?.data);
    expect(shapes.constant('x')).toBeUndefined();
  });

  const folded: readonly [string, readonly Constant[], Parameters<GraphBuilder['node']>[2]?][] = [
    ['Add', [ints(1, 2, 3), int(2 ** 40)]],
    ['Sub', [ints(1, 2, 3), ints(3, 2, 1)]],
    ['Mul', [{ ...ints(1, 2, 3, 4), dims: [2, 2] }, ints(-2, 3)]],
    ['Div', [ints(7, -7, 7, -7), ints(2, 2, -2, -2)]],
    ['Div', [floats([3], [1, 2, 3]), floats([], [0.3])]],
    ['Mod', [ints(7, -7, 7, -7), ints(3, 3, -3, -3)]],
    ['Mod', [ints(7, -7, 7, -7), ints(3, 3, -3, -3)], { fmod: 1 }],
    ['Min', [ints(4, -1), ints(2, 5), ints(3, 3)]],
    ['Max', [ints(4, -1), ints(2, 5)]],
    ['Neg', [ints(4, 0)]],
    ['Abs', [ints(4, -3)]],
    ['Sign', [ints(4, 0, -3)]],
    ['Floor', [floats([3], [1.5, -1.5, 2])]],
    ['Ceil', [floats([3], [1.5, -1.5, 2])]],
    ['Sqrt', [floats([3], [2, 3, 16])]],
    ['Reciprocal', [floats([3], [3, 7, -0.1])]],
    ['Equal', [ints(1, 2), ints(1, 3)]],
    ['Less', [ints(1, 2), ints(1, 3)]],
    ['LessOrEqual', [ints(1, 4), ints(1, 3)]],
    ['Greater', [ints(1, 4), ints(1, 3)]],
    ['GreaterOrEqual', [ints(1, 2), ints(1, 3)]],
    ['Cast', [floats([4], [1.9, -1.9, 0, 3])], { to: 7 }],
    ['Cast', [floats([4], [1.9, -1.9, 0, 3])], { to: 9 }],
    ['Cast', [ints(2 ** 24 + 1)], { to: 1 }],
    ['Cast', [ints(-5, 5)], { to: 6 }],
    ['Transpose', [{ ...ints(1, 2, 3, 4, 5, 6), dims: [3, 2] }]],
    ['Gather', [{ ...ints(1, 2, 3, 4, 5, 6), dims: [3, 2] }, ints(-1, 0)], { axis: 0 }],
    ['Gather', [{ ...ints(1, 2, 3, 4, 5, 6), dims: [3, 2] }, int(1)], { axis: 1 }],
    [
      'Concat',
      [
        { ...ints(1, 2, 3, 4), dims: [2, 2] },
        { ...ints(5, 6), dims: [2, 1] },
      ],
      { axis: 1 },
    ],
    [
      'Slice',
      [{ ...ints(1, 2, 3, 4, 5, 6), dims: [3, 2] }, ints(2, 0), ints(-9, 1), ints(0, 1), ints(-2, 1)],
    ],
    ['Expand', [{ ...ints(1, 2), dims: [2, 1] }, ints(3, 1, 2)]],
    ['Where', [{ type: 'bool', dims: [2], data: Uint8Array.of(1, 0) }, ints(1, 2), ints(3, 4)]],
    ['And', [1, 0].map((bit): Constant => ({ type: 'bool', dims: [2], data: Uint8Array.of(1, bit) }))],
    ['Or', [1, 0].map((bit): Constant => ({ type: 'bool', dims: [2], data: Uint8Array.of(0, bit) }))],
    ['Xor', [1, 0].map((bit): Constant => ({ type: 'bool', dims: [2], data: Uint8Array.of(1, bit) }))],
    ['Not', [{ type: 'bool', dims: [2], data: Uint8Array.of(1, 0) }]],
    ['Range', [int(10), int(0), int(-3)]],
    ['ConstantOfShape', [ints(2, 3)], { value: floats([1], [1.5]) }],
    ['ConstantOfShape', [ints(2)]],
    ['ReduceSum', [ints(4, 5)]],
    ['ReduceMin', [ints(4, 5)]],
    ['Squeeze', [{ ...ints(3), dims: [1, 1] }, ints(0)]],
    ['Unsqueeze', [ints(3), ints(0)]],
    ['Flatten', [{ ...ints(1, 2, 3, 4), dims: [2, 1, 2] }], { axis: 2 }],
    ['Reshape', [ints(1, 2, 3, 4), ints(2, -1)]],
  ];

  it.each(folded)('computes %s as ONNX Runtime does (%#)', async (operator, constants, attributes = {}) => {
    const graph = graphOf(13, [1], (builder) => {
      builder.node(
        operator,
        constants.map((constant) => builder.constant(constant)),
        attributes,
      );
    });
    const shapes = inferShapes(graph);
    const known = shapes.constant(`${operator}:out`);
    const wanted = (await observe(graph, { x: [1, 1] })).get(`${operator}:out`)!;
    expect(known?.type).toBe(wanted.type);
    expect(known?.dims).toEqual(wanted.dims);
    expect([...known!.data]).toEqual([...wanted.data]);
  });

  it('computes nothing that does not fit: overflows and divisions by zero stay unknown', () => {
    const graph = graphOf(13, [2], (builder) => {
      const large = builder.constant({ type: 'int64', dims: [1], data: BigInt64Array.of(2n ** 62n) });
      builder.node('Add', [large, large], {}, { name: 'sum' });
      builder.node(
        'Identity',
        [builder.node('Unsqueeze', [large, builder.ints([0])])],
        {},
        { name: 'exact' },
      );
      builder.node('Concat', [large, builder.ints([1])], { axis: 0 }, { name: 'joined' });
      builder.node('Div', [builder.ints([1]), builder.ints([0])], {}, { name: 'zero' });
      const small = builder.constant({ type: 'int32', dims: [], data: Int32Array.of(2 ** 31 - 1) });
      builder.node('Add', [small, small], {}, { name: 'wrapped' });
    });
    const shapes = inferShapes(graph);
    for (const name of ['sum:out', 'zero:out', 'wrapped:out'])
      expect(shapes.constant(name), name).toBeUndefined();
    expect([...shapes.constant('exact:out')!.data]).toEqual([2n ** 62n]);
    expect([...shapes.constant('joined:out')!.data]).toEqual([2n ** 62n, 1n]);
  });
});
