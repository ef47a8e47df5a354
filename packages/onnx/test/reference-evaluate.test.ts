import { Random, UnitscopeError } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  centralDifference,
  emptyGraph,
  evaluate,
  type Graph,
  GraphBuilder,
  type PlainAttributes,
} from '../src/index.js';
import { numbers, randomly } from './reference-ort.js';

/** x -> Conv -> Relu -> Flatten -> Gemm -> y */
function smallNet(): Graph {
  const builder = new GraphBuilder(emptyGraph('small', 18));
  builder.input({ name: 'x', type: 'float32', dims: ['N', 2, 5, 5] });
  const filters = builder.constant({ type: 'float32', ...randomly([3, 2, 3, 3], 1) }, 'filters');
  const weights = builder.constant({ type: 'float32', ...randomly([4, 27], 2) }, 'weights');
  const maps = builder.node('Conv', ['x', filters], {}, { name: 'conv' });
  const flat = builder.node('Flatten', [builder.node('Relu', [maps], {}, { name: 'relu' })]);
  const scores = builder.node('Gemm', [flat, weights], { transB: 1 }, { name: 'gemm' });
  builder.output({ name: scores, type: 'float32', dims: ['N', 4] });
  return builder.build();
}

function graphOf(operator: string, attributes: PlainAttributes = {}, domain = '', opset = 18): Graph {
  const builder = new GraphBuilder(emptyGraph('one', opset));
  builder.input({ name: 'x', type: 'float32', dims: undefined });
  builder.output({
    name: builder.node(operator, ['x'], attributes, { domain, name: 'it' }),
    type: 'float32',
    dims: undefined,
  });
  return builder.build();
}

function only(graph: Graph, x: Parameters<typeof evaluate>[1][string]): Float64Array {
  return [...evaluate(graph, { x }).values()][0]!.data;
}

function errorOf(action: () => unknown): UnitscopeError {
  try {
    action();
  } catch (error) {
    if (error instanceof UnitscopeError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('evaluate', () => {
  const x = randomly([2, 2, 5, 5], 3);

  it('gives the outputs, or any values asked for', () => {
    const graph = smallNet();
    expect([...evaluate(graph, { x }).keys()]).toEqual(['gemm:out']);
    const values = evaluate(graph, { x }, { outputs: ['conv:out', 'x', 'filters'] });
    expect([...values.keys()]).toEqual(['conv:out', 'x', 'filters']);
    expect(values.get('conv:out')!.dims).toEqual([2, 3, 3, 3]);
    expect(values.get('x')!.data).toEqual(Float64Array.from(x.data));
  });

  it('does not round a Float64Array', () => {
    const value = 1 + 2 ** -40;
    expect(only(graphOf('Identity'), { dims: [1], data: Float64Array.of(value) })[0]).toBe(value);
    expect(only(graphOf('Cast', { to: 1 }), { dims: [1], data: Float64Array.of(value) })[0]).toBe(value);
  });

  it('leaves the feeds as they are', () => {
    const data = Float64Array.from(x.data);
    evaluate(smallNet(), { x: { dims: x.dims, data } });
    expect(data).toEqual(Float64Array.from(x.data));
  });

  it('takes an inner value or an initializer as a feed, and then needs nothing before it', () => {
    const graph = smallNet();
    const { data, dims } = evaluate(graph, { x }, { outputs: ['relu:out'] }).get('relu:out')!;
    const straight = evaluate(graph, { x }).get('gemm:out')!;
    expect(evaluate(graph, { 'relu:out': { data, dims } }).get('gemm:out')).toEqual(straight);
    const zero = evaluate(graph, { x, weights: numbers([4, 27], new Array(108).fill(0)) });
    expect(zero.get('gemm:out')!.data).toEqual(new Float64Array(8));
  });

  it('decodes half precision', () => {
    const builder = new GraphBuilder(emptyGraph('half', 18));
    const data = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0xfc00, 0x3555);
    const half = builder.constant({ type: 'float16', dims: [7], data }, 'half');
    const brain = builder.constant(
      { type: 'bfloat16', dims: [2], data: Uint16Array.of(0x3f80, 0xc049) },
      'brain',
    );
    const values = evaluate(builder.build(), {}, { outputs: [half, brain] });
    const wanted = [1, -2, 2 ** -24, 65504, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0x555 / 4096];
    expect(Array.from(values.get(half)!.data)).toEqual(wanted);
    expect(Array.from(values.get(brain)!.data)).toEqual([1, -3.140625]);
    const fed = graphOf('Identity');
    const typed = { ...fed, inputs: [{ ...fed.inputs[0]!, type: 'float16' as const }] };
    expect(Array.from(only(typed, { dims: [7], data }))).toEqual(wanted);
  });

  it('integers divide as integers also when they come from Shape', () => {
    const builder = new GraphBuilder(emptyGraph('integers', 18));
    builder.input({ name: 'x', type: 'float32', dims: undefined });
    const halves = builder.node('Div', [builder.node('Shape', ['x']), builder.ints([2])]);
    const result = evaluate(builder.build(), { x: randomly([5, 4, 7]) }, { outputs: [halves] });
    expect(Array.from(result.get(halves)!.data)).toEqual([2, 2, 3]);
  });

  it('runs operators of other domains that are given', () => {
    const graph = graphOf('Twice', { by: { float: 2.5 } }, 'unitscope');
    const operators = new Map([
      [
        'unitscope::Twice',
        (
          node: { operator: string },
          [x]: readonly ({ dims: readonly number[]; data: Float64Array } | undefined)[],
        ) => {
          expect(node.operator).toBe('Twice');
          return [{ dims: x!.dims, data: x!.data.map((value) => 2 * value) }];
        },
      ],
    ]);
    const results = evaluate(graph, { x: numbers([2], [1, 2]) }, { operators });
    expect(results.get('it:out')).toEqual({ dims: [2], data: Float64Array.of(2, 4) });
  });

  it('an unknown operator is an error that names node and operator', () => {
    const plain = errorOf(() => only(graphOf('NoSuchThing'), x));
    expect(plain.code).toBe('unsupported');
    expect(plain.message).toContain('it (NoSuchThing)');
    const foreign = errorOf(() => only(graphOf('Relu', {}, 'elsewhere'), x));
    expect(foreign.code).toBe('unsupported');
    expect(foreign.message).toContain('it (elsewhere::Relu)');
  });

  it('a graph input without a feed, and a feed for nothing', () => {
    const missing = errorOf(() => evaluate(smallNet(), {}));
    expect([missing.code, missing.subject]).toEqual(['bad-input', 'x']);
    const extra = errorOf(() => evaluate(smallNet(), { x, other: x }));
    expect([extra.code, extra.subject]).toEqual(['bad-input', 'other']);
    expect(errorOf(() => evaluate(smallNet(), { x: { dims: [3], data: x.data } })).code).toBe('bad-input');
    const wanted = errorOf(() => evaluate(smallNet(), { x }, { outputs: ['conv:oui'] }));
    expect([wanted.code, wanted.subject]).toEqual(['not-found', 'conv:oui']);
  });

  const wrong: readonly (readonly [operator: string, inputs: string, attributes: PlainAttributes])[] = [
    ['Conv', '1,3,4,4 2,2,3,3', {}],
    ['Conv', '1,2,2,2 2,2,3,3', {}],
    ['Conv', '1,2,4,4 2,2,3,3', { kernel_shape: [2, 2] }],
    ['Conv', '1,2,4,4 2,2,3,3', { strides: [2] }],
    ['ConvTranspose', '1,3,4,4 2,2,3,3', {}],
    ['MaxPool', '1,1,4,4', {}],
    ['MaxPool', '1,1,4,4', { kernel_shape: [5, 5] }],
    ['MatMul', '2,3 2,3', {}],
    ['Gemm', '2,3 2,3', {}],
    ['Gemm', '2,3 3,4 5', {}],
    ['Add', '2,3 2', {}],
    ['Add', '2,3', {}],
    ['PRelu', '3 2,3', {}],
    ['Concat', '2,3 3,2', { axis: 0 }],
    ['Transpose', '2,3', { perm: [0, 0] }],
    ['Squeeze', '2,3', { axes: [0] }],
    ['Reshape', '2,3', {}],
    ['Reshape', '2,3', { shape: [4, -1] }],
    ['Softmax', '2,3', { axis: 2 }],
    ['ReduceSum', '2,3', { axes: [-3] }],
    ['Split', '5', { split: [2, 2] }],
    ['Resize', '2,3', {}],
    ['Conv', '1,2,4,4 3,2,3,3 2', {}],
    ['BatchNormalization', '1,2,4 2 2 2 3', {}],
    ['InstanceNormalization', '1,2,4 2 3', {}],
    ['LayerNormalization', '2,4 3', {}],
    ['GatherElements', '2,3 3,3', {}],
    ['Tile', '2,3 3', {}],
    ['MaxUnpool', '1,1,2 1,1,3', { kernel_shape: [2] }],
  ];
  it.each(wrong)('%s of %s with %j: an error that names the node', (operator, shapes, attributes) => {
    const builder = new GraphBuilder(emptyGraph('wrong', 18));
    const names = shapes
      .split(' ')
      .map((dims) => builder.constant({ type: 'float32', ...randomly(dims.split(',').map(Number)) }));
    const output = builder.node(operator, names, attributes, { name: 'culprit' });
    const error = errorOf(() => evaluate(builder.build(), {}, { outputs: [output] }));
    expect(error.code).toBe('bad-input');
    expect(error.subject).toBe('culprit');
    expect(error.message).toContain(`culprit (${operator})`);
  });
});

describe('centralDifference', () => {
  it('gives the derivatives asked for and leaves x alone', () => {
    const x = Float64Array.of(0.3, -1.2, 2);
    const slopes = centralDifference(([a, b, c]) => Math.sin(a!) * b! + c! ** 3, x, 1e-5, [2, 0, 1]);
    const wanted = [12, Math.cos(0.3) * -1.2, Math.sin(0.3)];
    wanted.forEach((slope, i) => {
      expect(Math.abs(slopes[i]! - slope)).toBeLessThan(1e-9);
    });
    expect(x).toEqual(Float64Array.of(0.3, -1.2, 2));
  });

  it('of a network agrees with the chain rule written out by hand', () => {
    const graph = smallNet();
    const x = Float64Array.from(randomly([1, 2, 5, 5], 8).data);
    const dims = [1, 2, 5, 5];
    const score = (data: Float64Array) => evaluate(graph, { x: { dims, data } }).get('gemm:out')!.data[1]!;
    const inner = evaluate(graph, { x: { dims, data: x } }, { outputs: ['relu:out', 'weights', 'filters'] });
    const signal = inner
      .get('relu:out')!
      .data.map((y, i) => (y > 0 ? inner.get('weights')!.data[27 + i]! : 0));
    const builder = new GraphBuilder(emptyGraph('back', 18));
    builder.input({ name: 'x', type: 'float32', dims: undefined });
    builder.input({ name: 'w', type: 'float32', dims: undefined });
    const back = builder.node('ConvTranspose', ['x', 'w']);
    const gradient = evaluate(
      builder.build(),
      { x: { dims: [1, 3, 3, 3], data: signal }, w: inner.get('filters')! },
      { outputs: [back] },
    ).get(back)!;
    const indices = [...x.keys()];
    const slopes = centralDifference(score, x, 1e-6, indices);
    for (const index of indices) expect(Math.abs(slopes[index]! - gradient.data[index]!)).toBeLessThan(1e-7);
  });
});

describe('properties', () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
  const seeds = fc.integer({ min: 0, max: 1000 });

  /** Evaluates a graph built around one input. */
  function through(
    x: ReturnType<typeof randomly>,
    build: (builder: GraphBuilder) => string,
    opset = 18,
  ): { dims: readonly number[]; data: Float64Array } {
    const builder = new GraphBuilder(emptyGraph('property', opset));
    builder.input({ name: 'x', type: 'float32', dims: undefined });
    const output = build(builder);
    return evaluate(builder.build(), { x }, { outputs: [output] }).get(output)!;
  }

  it('a transposition and its inverse cancel', () => {
    fc.assert(
      fc.property(shapes, seeds, (dims, seed) => {
        const random = new Random(seed);
        const perm = [...dims.keys()].sort(() => random.uniform() - 0.5);
        const inverse = perm.map((_, axis) => perm.indexOf(axis));
        const x = randomly(dims, seed);
        const same = through(x, (b) =>
          b.node('Transpose', [b.node('Transpose', ['x'], { perm })], { perm: inverse }),
        );
        expect(same).toEqual({ dims, data: Float64Array.from(x.data) });
      }),
    );
  });

  it('the pieces of a split, joined, are the whole', () => {
    fc.assert(
      fc.property(shapes, seeds, (dims, seed) => {
        const axis = seed % dims.length;
        const x = randomly(dims, seed);
        const parts = Math.min(2, dims[axis]!);
        const joined = through(x, (b) =>
          b.node('Concat', b.nodes('Split', ['x'], parts, { axis, num_outputs: parts }), { axis }),
        );
        expect(joined).toEqual({ dims, data: Float64Array.from(x.data) });
      }),
    );
  });

  it('what is padded can be cropped away again', () => {
    fc.assert(
      fc.property(shapes, seeds, fc.constantFrom('constant', 'edge', 'wrap'), (dims, seed, mode) => {
        const random = new Random(seed);
        const pads = [...dims, ...dims].map(() => random.integer(0, 3));
        const x = randomly(dims, seed);
        const same = through(
          x,
          (b) => {
            const padded = b.node('Pad', ['x', b.ints(pads)], { mode });
            return b.node('Pad', [padded, b.ints(pads.map((amount) => (amount === 0 ? 0 : -amount)))]);
          },
          19,
        );
        expect(same).toEqual({ dims, data: Float64Array.from(x.data) });
      }),
    );
  });

  it('a sum over all axes is the product with ones', () => {
    fc.assert(
      fc.property(shapes, seeds, (dims, seed) => {
        const x = randomly(dims, seed);
        const sum = through(x, (b) => b.node('ReduceSum', ['x'], { keepdims: 0 }));
        const flat = through(x, (b) => {
          const ones = b.node('ConstantOfShape', [b.node('Size', ['x'])], {
            value: { type: 'float32', dims: [1], data: Float32Array.of(1) },
          });
          return b.node('MatMul', [b.node('Reshape', ['x', b.ints([-1])]), ones]);
        });
        expect(flat.dims).toEqual([]);
        expect(flat.data[0]).toBeCloseTo(sum.data[0]!, 12);
      }),
    );
  });

  it('what a ScatterElements puts, GatherElements finds', () => {
    fc.assert(
      fc.property(shapes, seeds, (dims, seed) => {
        const axis = seed % dims.length;
        const random = new Random(seed);
        const x = randomly(dims, seed);
        // One index per line along the axis, so that none is written twice.
        const lines = dims.with(axis, 1);
        const count = lines.reduce((size, dim) => size * dim, 1);
        const places = Array.from({ length: count }, () => random.integer(-dims[axis]!, dims[axis]! - 1));
        const updates = randomly(lines, seed + 1);
        const found = through(x, (b) => {
          const indices = b.ints(places, lines);
          const written = b.node(
            'ScatterElements',
            ['x', indices, b.constant({ type: 'float32', ...updates })],
            { axis },
          );
          return b.node('GatherElements', [written, indices], { axis });
        });
        expect(found).toEqual({ dims: lines, data: Float64Array.from(updates.data) });
      }),
    );
  });

  it('softmax is not moved by a constant, and sums to 1', () => {
    fc.assert(
      fc.property(shapes, seeds, fc.integer({ min: -500, max: 500 }), (dims, seed, shift) => {
        const axis = seed % dims.length;
        const x = randomly(dims, seed);
        const moved = { dims, data: x.data.map((value) => value + shift) };
        const [plain, other] = [x, moved].map((value) =>
          through(value, (b) => b.node('Softmax', ['x'], { axis })),
        );
        plain!.data.forEach((value, i) => {
          // The shifted numbers are rounded to float32, hence the bound.
          expect(Math.abs(value - other!.data[i]!)).toBeLessThan(1e-4);
        });
        const sums = through(x, (b) =>
          b.node('ReduceSum', [b.node('Softmax', ['x'], { axis }), b.ints([axis])]),
        );
        for (const sum of sums.data) expect(sum).toBeCloseTo(1, 13);
      }),
    );
  });
});
