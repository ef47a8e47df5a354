import { emptyGraph, evaluate, type Graph, GraphBuilder, type Node } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Composite,
  compile,
  gradient,
  type Lowering,
  lrp,
  lrpEpsilon,
  lrpGamma,
  lrpZPlus,
} from '../src/index.js';
import { isNonNegative } from '../src/rules/lrp-relevance.js';
import { forms, networkOf } from './support/lrp-networks.js';
import { blockedOperators } from './support/nchwc-operators.js';
import { referenceOperators } from './support/reference-operators.js';
import { type SlowRule, slowRelevance } from './support/slow-lrp.js';

const LOWERINGS: readonly Lowering[] = [
  'portable',
  { kind: 'native' },
  { kind: 'blocked', block: 8 },
  { kind: 'blocked', block: 16 },
];

const TARGET = [2, 0];

function relevanceOf(graph: Graph, composite: Composite, input: Tensor, lowering: Lowering = 'portable') {
  const compiled = compile(graph, {
    objective: { kind: 'class', value: graph.outputs[0]!.name },
    wrt: ['input'],
    composite,
    lowering,
  });
  const target = { dims: [TARGET.length], data: BigInt64Array.from(TARGET, BigInt) };
  const operators =
    typeof lowering === 'object' && lowering.kind === 'blocked'
      ? blockedOperators(lowering.block)
      : referenceOperators;
  const values = evaluate(compiled.graph, { input, [compiled.targetInput]: target }, { operators });
  return {
    relevance: values.get(compiled.signals.get('input')!)!.data,
    score: values.get(compiled.score!)!.data,
    compiled,
  };
}

const pictures = (seed: number) => new Random(seed + 1).normalTensor([TARGET.length, 3, 7, 6]);

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function worst(actual: Float64Array, expected: Float64Array): number {
  expect(actual.length).toBe(expected.length);
  return largest(expected.map((value, i) => value - actual[i]!)) / (largest(expected) || 1);
}

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

/** Exact in float32, as far as weights and sums of a bias with it are not. Large enough that a rounded bias is no matter. */
const EPSILON = 2 ** -6;
const GAMMA = 0.25;

const ROUTES: ReadonlySet<string> = new Set(['MaxPool', 'Concat', 'Mul', 'Relu', 'Sigmoid', 'Flatten']);
const WEIGHTED: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul']);

/** The rules as the composites promise them; `weighted` for layers with weights. */
const rules =
  (weighted: (node: Node) => SlowRule) =>
  (node: Node): SlowRule =>
    WEIGHTED.has(node.operator)
      ? weighted(node)
      : ROUTES.has(node.operator)
        ? { kind: 'route' }
        : { kind: 'epsilon', epsilon: EPSILON };

const epsilonRule: SlowRule = { kind: 'epsilon', epsilon: EPSILON };
const zPlus: SlowRule = { kind: 'z-plus', epsilon: EPSILON };
const gammaRule: SlowRule = { kind: 'gamma', gamma: GAMMA, epsilon: EPSILON };

/** The last layer with weights of these networks, where it is a convolution of 1x1. */
const isClassifier = (graph: Graph, node: Node) =>
  graph.nodes.filter(({ operator }) => WEIGHTED.has(operator)).at(-1) === node;

const CASES: readonly (readonly [Composite, (graph: Graph) => (node: Node) => SlowRule])[] = [
  [lrpEpsilon({ epsilon: EPSILON }), () => rules(() => epsilonRule)],
  [lrpGamma({ gamma: GAMMA, epsilon: EPSILON }), () => rules(() => gammaRule)],
  [lrpZPlus({ epsilon: EPSILON }), () => rules(() => zPlus)],
  [
    lrp({ epsilon: EPSILON }),
    (graph) =>
      rules((node) => (node.operator === 'Conv' && !isClassifier(graph, node) ? zPlus : epsilonRule)),
  ],
  [
    lrp({ convolution: 'gamma', gamma: GAMMA, epsilon: EPSILON }),
    (graph) =>
      rules((node) => (node.operator === 'Conv' && !isClassifier(graph, node) ? gammaRule : epsilonRule)),
  ],
];

// Constants of the compiled graph are float32: reweighted weights and shifted biases are off by 2^-24 each, and a sum
// that nearly cancels is off by that over epsilon, in each of at most seven layers.
const TOLERANCE = (16 * 2 ** -24) / EPSILON;

describe('relevance', () => {
  it.each(CASES.map(([composite, rulesOf], i) => ({ name: `${composite.name} ${i}`, composite, rulesOf })))(
    '$name is what the definition gives, on all lowerings',
    ({ composite, rulesOf }) => {
      fc.assert(
        fc.property(forms, (form) => {
          const graph = networkOf(form);
          const input = pictures(form.seed);
          const expected = slowRelevance(graph, input, TARGET, rulesOf(graph));
          for (const lowering of LOWERINGS) {
            const { relevance } = relevanceOf(graph, composite, input, lowering);
            expect(worst(relevance, expected), JSON.stringify(lowering)).toBeLessThan(TOLERANCE);
          }
        }),
        { numRuns: 12, seed: 3 },
      );
    },
    60_000,
  );
});

/** Networks in which nothing takes relevance away: no biases, and no sum that cancels. */
const unbiased = forms.map((form) => ({ ...form, biased: false }));

describe('what relevance adds up to', () => {
  it('is the score, where there are no biases and epsilon is small', () => {
    fc.assert(
      fc.property(unbiased, (form) => {
        const graph = networkOf(form);
        const input = pictures(form.seed);
        for (const composite of [lrpEpsilon({ epsilon: 1e-12 }), lrpGamma({ epsilon: 1e-12 })]) {
          const { relevance, score } = relevanceOf(graph, composite, input);
          const size = relevance.length / TARGET.length;
          TARGET.forEach((_, n) => {
            const own = relevance.subarray(n * size, (n + 1) * size);
            const mass = own.reduce((total, value) => total + Math.abs(value), 0);
            // Weights times 1 + gamma are rounded to float32, which each layer adds to; a network may cancel deeply.
            expect(Math.abs(sum(own) - score[n]!)).toBeLessThan(1e-5 * mass + 1e-9);
          });
        }
      }),
      { numRuns: 20, seed: 4 },
    );
  });

  it('is the score by z-plus, where every output has something positive to share among', () => {
    const graph = networkOf({
      kinds: ['strided', 'maxPool', 'grouped'],
      tail: 'gemm',
      biased: false,
      seed: 8,
    });
    const positive = {
      ...graph,
      initializers: new Map(
        [...graph.initializers].map(([name, constant]) => [
          name,
          { ...constant, data: (constant.data as Float32Array).map(Math.abs) },
        ]),
      ),
    };
    const input = pictures(5);
    const { relevance, score } = relevanceOf(positive, lrpZPlus({ epsilon: 1e-12 }), {
      ...input,
      data: input.data.map(Math.abs),
    });
    expect(Math.abs(sum(relevance) / sum(score) - 1)).toBeLessThan(16 * 2 ** -24);
    expect(relevance.every((value) => value >= 0)).toBe(true);
  });

  it('is positive everywhere by z-plus for a positive score', () => {
    const graph = networkOf({ kinds: ['conv', 'linear'], tail: 'gemm', biased: true, seed: 11 });
    const { relevance, score } = relevanceOf(graph, lrpZPlus(), pictures(6));
    const size = relevance.length / TARGET.length;
    expect(score.some((value) => value !== 0)).toBe(true);
    TARGET.forEach((_, n) => {
      const own = relevance.subarray(n * size, (n + 1) * size);
      expect(own.every((value) => value * score[n]! >= 0)).toBe(true);
      expect(own.some((value) => value !== 0)).toBe(true);
    });
  });
});

it('by epsilon is input times gradient in a network of ReLUs', () => {
  fc.assert(
    fc.property(forms, (form) => {
      // A gate is no ReLU: the gradient goes through it, relevance does not.
      const graph = networkOf({ ...form, kinds: form.kinds.filter((kind) => kind !== 'gate') });
      const input = pictures(form.seed);
      const { relevance } = relevanceOf(graph, lrpEpsilon({ epsilon: 1e-12 }), input);
      const { relevance: slope } = relevanceOf(graph, gradient, input);
      expect(
        worst(
          relevance,
          slope.map((value, i) => value * input.data[i]!),
        ),
      ).toBeLessThan(1e-6);
    }),
    { numRuns: 30, seed: 5 },
  );
});

describe('a composite of relevance', () => {
  const graph = networkOf({
    kinds: ['conv', 'normalization', 'gate'],
    tail: 'convolution',
    biased: true,
    seed: 2,
  });

  it('plans a rule for every node, epsilon for a last convolution of 1x1', () => {
    const { compiled } = relevanceOf(graph, lrp(), pictures(1));
    expect(compiled.plan.map(({ rule }) => rule)).toEqual([
      ...['conv.lrp-z-plus', 'relu.lrp-pass', 'conv.lrp-z-plus', 'relu.lrp-pass', 'relu.lrp-pass'],
      ...['batch-normalization.lrp-epsilon', 'global-average-pool.lrp-epsilon', 'conv.lrp-z-plus'],
      ...['sigmoid.lrp-pass', 'mul.lrp-gate', 'conv.lrp-epsilon', 'relu.lrp-pass'],
      ...['global-average-pool.lrp-epsilon', 'flatten.gradient'],
    ]);
    expect(compiled.notes).toEqual([
      'lrp: BatchNormalization that no convolution takes in is an affine layer, by the epsilon rule',
    ]);
  });

  it('starts a unit with its activation', () => {
    const relu = graph.nodes.find(({ operator }) => operator === 'Relu')!;
    const compiled = compile(graph, {
      objective: { kind: 'unit', value: relu.outputs[0]!, position: 'max' },
      wrt: [relu.inputs[0]!],
      composite: lrpEpsilon(),
    });
    const target = { dims: [TARGET.length], data: BigInt64Array.from([3n, 3n]) };
    const values = evaluate(compiled.graph, { input: pictures(3), [compiled.targetInput]: target });
    const score = values.get(compiled.score!)!.data;
    expect(sum(values.get(compiled.signals.get(relu.inputs[0]!)!)!.data)).toBeCloseTo(sum(score), 9);
    expect(sum(score)).toBeGreaterThan(0);
  });

  it.each([
    ['epsilon', () => lrp({ epsilon: 0 }), /epsilon must be a number above 0, not 0/],
    ['epsilon below float32', () => lrpEpsilon({ epsilon: 1e-60 }), /epsilon must be/],
    ['epsilon that is none', () => lrpZPlus({ epsilon: Number.NaN }), /epsilon must be/],
    ['gamma', () => lrpGamma({ gamma: -1 }), /gamma must be a number from 0, not -1/],
    ['gamma without end', () => lrp({ convolution: 'gamma', gamma: Infinity }), /gamma must be/],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'wrong-use', message: expect.stringMatching(message) }),
    );
  });

  it('does not explain probabilities', () => {
    expect(() =>
      compile(graph, {
        objective: { kind: 'class', value: graph.outputs[0]!.name },
        wrt: ['input'],
        composite: lrp(),
        softmax: true,
      }),
    ).toThrow(/lrp is not defined through .*Softmax.*: explain the score before the softmax/);
  });
});

/** Relevance [1, -2] of what is made of x and y, two numbers each, at x and at y, by epsilon. */
function relevanceThrough(
  write: (builder: GraphBuilder, x: string, y: string) => string,
  x: readonly number[],
  y: readonly number[],
) {
  const builder = new GraphBuilder(emptyGraph('one', 18));
  const input = builder.input({ name: 'input', type: 'float32', dims: [1, 4] });
  const [left, right] = builder.nodes('Split', [input, builder.ints([2, 2])], 2, { axis: 1 });
  const value = write(builder, left!, right!);
  builder.output({ name: value, type: 'float32', dims: [1, 2] });
  const compiled = compile(builder.build(), {
    objective: { kind: 'seed', value },
    wrt: [input],
    composite: lrpEpsilon({ epsilon: 1e-9 }),
  });
  const feed = (values: readonly number[]) => ({ dims: [1, values.length], data: Float32Array.from(values) });
  const feeds = { input: feed([...x, ...y]), [compiled.targetInput]: feed([1, -2]) };
  const { data } = evaluate(compiled.graph, feeds).get(compiled.signals.get(input)!)!;
  const found = Array.from(data, (part) => Number(part.toFixed(6)) + 0);
  return { found, notes: compiled.notes };
}

describe('relevance through', () => {
  const [x, y] = [
    [1, 2],
    [3, -1],
  ] as const;
  const constants = (builder: GraphBuilder) => builder.floats([2, 3]);

  it.each<readonly [string, (b: GraphBuilder, x: string, y: string) => string, readonly number[]]>([
    ['a sum: in proportion', (b, p, q) => b.node('Add', [p, q]), [0.25, -4, 0.75, 2]],
    ['a difference: in proportion', (b, p, q) => b.node('Sub', [p, q]), [-0.5, -1.333333, 1.5, -0.666667]],
    ['a mean: in proportion', (b, p, q) => b.node('Mean', [p, q]), [0.25, -4, 0.75, 2]],
    ['a gate: the signal takes all', (b, p, q) => b.node('Mul', [p, b.node('Sigmoid', [q])]), [1, -2, 0, 0]],
    ['a gate on the left', (b, p, q) => b.node('Mul', [b.node('Sigmoid', [p]), q]), [0, 0, 1, -2]],
    ['x sigmoid(x): unchanged', (b, p) => b.node('Mul', [p, b.node('Sigmoid', [p])]), [1, -2, 0, 0]],
    [
      'a HardSwish in parts',
      (b, p) => {
        const clipped = b.node('Clip', [b.node('Add', [p, b.floats(3)]), b.floats(0), b.floats(6)]);
        return b.node('Div', [b.node('Mul', [p, clipped]), b.floats(6)]);
      },
      [1, -2, 0, 0],
    ],
    ['a factor: unchanged', (b, p) => b.node('Mul', [constants(b), p]), [1, -2, 0, 0]],
    ['a maximum: to the larger', (b, p, q) => b.node('Max', [p, q]), [0, -2, 1, 0]],
    ['a function: unchanged', (b, p) => b.node('Tanh', [b.node('Elu', [p])]), [1, -2, 0, 0]],
  ])('%s', (_, write, expected) => {
    const { found, notes } = relevanceThrough(write, x, y);
    expect(found).toEqual(expected);
    expect(notes).toEqual([]);
  });

  it('a product of two signals: half each, and a note', () => {
    const { found, notes } = relevanceThrough((b, p, q) => b.node('Mul', [p, q]), x, y);
    expect(found).toEqual([0.5, -1, 0.5, -1]);
    expect(notes).toEqual(['lrp-epsilon: Mul of two signals gives half of the relevance to each']);
  });
});

it('knows what is nowhere negative', () => {
  const builder = new GraphBuilder(emptyGraph('signs', 18));
  const input = builder.input({ name: 'x', type: 'float32', dims: [1, 2, 4, 4] });
  const relu = builder.node('Relu', [input]);
  const pooled = builder.node('MaxPool', [relu], { kernel_shape: [2, 2] });
  const known = [
    relu,
    pooled,
    builder.node('Clip', [input, builder.floats(0), builder.floats(6)]),
    builder.node('Add', [pooled, pooled]),
    builder.node('Concat', [relu, builder.node('Sigmoid', [input])], { axis: 1 }),
    builder.node('Mul', [relu, builder.floats(2)]),
  ];
  const unknown = [
    input,
    builder.node('Clip', [input, builder.floats(-1), builder.floats(6)]),
    builder.node('Add', [relu, input]),
    builder.node('Mul', [relu, builder.floats(-2)]),
    builder.node('LeakyRelu', [input]),
    builder.node('Sub', [relu, relu]),
  ];
  const graph = builder.build();
  const view = {
    constant: (value: string) => graph.initializers.get(value),
    maker: (value: string) => graph.nodes.find(({ outputs }) => outputs.includes(value)),
  };
  expect(known.map((value) => isNonNegative(value, view))).toEqual(known.map(() => true));
  expect(unknown.map((value) => isNonNegative(value, view))).toEqual(unknown.map(() => false));
});
