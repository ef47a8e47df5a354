import { emptyGraph, evaluate, type Graph, GraphBuilder, type Node } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { inferWithInputs } from '../src/canonize.js';
import { foldScales } from '../src/fold-scale.js';
import {
  type Composite,
  compile,
  deconvolution,
  fuseSignals,
  gradient,
  guidedBackprop,
  lowerGraph,
} from '../src/index.js';
import { rectifierOf } from '../src/operators/relu-grad.js';
import { rectifiersOf } from '../src/operators/split-relu-grad.js';
import { referenceOperators } from './support/reference-operators.js';

const COMPOSITES: readonly Composite[] = [gradient, guidedBackprop, deconvolution];

/** Branches of 3 and 4 channels behind rectifiers and one of 2 without, joined, pooled, and averaged after a ReLU. */
function network({ ceiling, pool = true }: { ceiling?: number; pool?: boolean } = {}): Graph {
  const random = new Random(3);
  const builder = new GraphBuilder(emptyGraph('branches', 18));
  const convolve = (x: string, dims: number[]) =>
    builder.node('Conv', [
      x,
      builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, 0, 0.4).data }),
    ]);
  const rectify = (x: string) =>
    ceiling === undefined
      ? builder.node('Relu', [x])
      : builder.node('Clip', [x, builder.floats(0), builder.floats(ceiling)]);
  const input = builder.input({ name: 'input', type: 'float32', dims: ['N', 2, 7, 6] });
  const stem = rectify(convolve(input, [4, 2, 3, 3]));
  const window = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
  const pooled = pool ? builder.node('MaxPool', [stem], window) : stem;
  const parts = [
    rectify(convolve(pooled, [3, 4, 1, 1])),
    convolve(pooled, [2, 4, 1, 1]),
    rectify(convolve(pooled, [4, 4, 1, 1])),
  ];
  const joined = builder.node('Concat', parts, { axis: 1 });
  const last = rectify(convolve(joined, [5, 9, 1, 1]));
  const scores = builder.node('Flatten', [builder.node('GlobalAveragePool', [last])], { axis: 1 });
  builder.output({ name: scores, type: 'float32', dims: ['N', 5] });
  return builder.build();
}

function backward(graph: Graph, composite: Composite) {
  const objective = { kind: 'class', value: graph.outputs[0]!.name } as const;
  const options = { objective, wrt: ['input'], composite };
  return {
    native: compile(graph, { ...options, lowering: { kind: 'native' } }),
    portable: compile(graph, options),
  };
}

const named = (graph: Graph, operator: string): Node[] =>
  graph.nodes.filter((node) => node.operator === operator && node.domain === 'unitscope');

describe.each(COMPOSITES)('fused signals, $name', (composite) => {
  it.each([undefined, 1.5])('are the signals, ceiling %s', (ceiling) => {
    const { native, portable } = backward(network(ceiling === undefined ? {} : { ceiling }), composite);
    const feeds = {
      input: new Random(8).normalTensor([2, 2, 7, 6]),
      [native.targetInput]: { dims: [2], data: BigInt64Array.of(-1n, -1n) },
    };
    const signal = (graph: Graph, name: string) =>
      evaluate(graph, feeds, { operators: referenceOperators }).get(name)!.data;
    const wanted = signal(portable.graph, portable.signals.get('input')!);
    expect(Math.max(...wanted.map(Math.abs))).toBeGreaterThan(0);
    const lowered = lowerGraph(native.graph);
    for (const [graph, name] of [
      [native.graph, native.signals.get('input')!],
      [lowered, lowered.outputs[0]!.name],
    ] as const) {
      // 1 / count is a float32 constant of the portable graph.
      const got = signal(graph, name);
      got.forEach((value, i) => {
        expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(1e-7 * Math.max(...wanted.map(Math.abs)));
      });
    }
  });

  it('leave no ReluGrad of their own', () => {
    const { native } = backward(network(), composite);
    expect(named(native.graph, 'ReluGrad')).toHaveLength(0);
    const rule = composite === gradient ? 'gradient' : composite === guidedBackprop ? 'guided' : 'deconvnet';
    expect(named(native.graph, 'MaxPoolGrad').map(rectifierOf)).toEqual([{ rule, ceiling: undefined }]);
    expect(named(native.graph, 'GlobalAveragePoolGrad').map(rectifierOf)).toEqual([
      { rule, ceiling: undefined },
    ]);
    const [split] = named(native.graph, 'SplitReluGrad');
    expect(rectifiersOf(split!).map((rectifier) => rectifier?.rule)).toEqual([rule, undefined, rule]);
    const fused = native.placement.filter((placed) => placed.fused !== undefined);
    expect(fused.map((placed) => placed.operator)).toEqual([
      'unitscope::GlobalAveragePoolGrad',
      'unitscope::SplitReluGrad',
      'unitscope::MaxPoolGrad',
    ]);
    expect(fused[1]!.fused).toBe('grad/Relu_1/ReluGrad, grad/Relu_2/ReluGrad');
  });
});

describe('a signal stays by itself', () => {
  const fusedBy = (graph: Graph) => fuseSignals(graph, inferWithInputs(graph, undefined)).graph;

  function pooled(
    change: (builder: GraphBuilder, names: Record<'x' | 'y' | 'dy' | 'other', string>) => string[],
  ) {
    const builder = new GraphBuilder(emptyGraph('pooled', 18));
    const input = (name: string, size: number) =>
      builder.input({ name, type: 'float32', dims: [1, 2, size, size] });
    const names = { x: input('x', 4), y: input('y', 2), dy: input('dy', 2), other: input('other', 4) };
    for (const output of change(builder, names))
      builder.output({ name: output, type: 'float32', dims: undefined });
    return builder.build();
  }

  const domain = { domain: 'unitscope' };
  const attributes = {
    kernel_shape: [2, 2],
    strides: [2, 2],
    dilations: [1, 1],
    pads: [0, 0, 0, 0],
    ceil_mode: 0,
  };
  const masked = (rule: string, by: 'x' | 'other', ends: (signal: string, masked: string) => string[]) =>
    pooled((builder, { x, y, dy, other }) => {
      const signal = builder.node('MaxPoolGrad', [x, y, dy], attributes, domain);
      const mask = builder.node('ReluGrad', [by === 'x' ? x : other, signal], { rule }, domain);
      return ends(signal, mask);
    });

  it('unless only the rectifier reads it', () => {
    const alone = masked('gradient', 'x', (_, mask) => [mask]);
    expect(fusedBy(alone).nodes).toHaveLength(1);
    expect(fusedBy(alone).outputs).toEqual(alone.outputs);
    const wanted = masked('gradient', 'x', (signal, mask) => [signal, mask]);
    expect(fusedBy(wanted)).toBe(wanted);
  });

  it('unless the rectifier put out what was pooled, or asks for no output', () => {
    const elsewhere = masked('guided', 'other', (_, mask) => [mask]);
    expect(fusedBy(elsewhere)).toBe(elsewhere);
    expect(fusedBy(masked('deconvnet', 'other', (_, mask) => [mask])).nodes).toHaveLength(1);
  });
});

describe('a factor per channel', () => {
  /** BN, ReLU, Conv twice: the gradient is a Conv, a mask and a factor, twice. */
  function preActivated(negative: boolean): Graph {
    const random = new Random(6);
    const builder = new GraphBuilder(emptyGraph('pre', 18));
    const constant = (dims: number[], mean: number, deviation: number) =>
      builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, mean, deviation).data });
    let value = builder.input({ name: 'input', type: 'float32', dims: ['N', 4, 5, 5] });
    for (let layer = 0; layer < 2; layer++) {
      const gamma = builder.floats(negative ? [1, -0.5, 2, 0.7] : [1, 0.5, 2, 0.7]);
      const parameters = [gamma, constant([4], 0.3, 0.1), constant([4], 0, 0.3), constant([4], 1, 0.1)];
      value = builder.node('Relu', [builder.node('BatchNormalization', [value, ...parameters])]);
      value = builder.node('Conv', [value, constant([4, 4, 3, 3], 0, 0.3)], { pads: [1, 1, 1, 1] });
    }
    const flat = builder.node('Flatten', [builder.node('GlobalAveragePool', [value])]);
    builder.output({ name: flat, type: 'float32', dims: ['N', 4] });
    return builder.build();
  }

  it.each([
    { name: 'gradient', composite: gradient, negative: false, folds: true },
    { name: 'gradient', composite: gradient, negative: true, folds: true },
    { name: 'guided', composite: guidedBackprop, negative: false, folds: true },
    { name: 'guided', composite: guidedBackprop, negative: true, folds: false },
    { name: 'deconvnet', composite: deconvolution, negative: true, folds: false },
  ])('goes into the weights where the rule lets it: $name, negative $negative', (form) => {
    const { composite, negative, folds } = form;
    const { native, portable } = backward(preActivated(negative), composite);
    // The normalization behind a convolution is part of it before anything is differentiated.
    expect(native.graph.nodes.some(({ name }) => /BatchNormalization.*Mul/.test(name))).toBe(!folds);
    expect(native.placement.some(({ fused }) => /BatchNormalization.*Mul/.test(fused ?? ''))).toBe(folds);
    const feeds = {
      input: new Random(8).normalTensor([2, 4, 5, 5]),
      [native.targetInput]: { dims: [2], data: BigInt64Array.of(1n, 3n) },
    };
    const [got, wanted] = [native, portable].map(
      ({ graph, signals }) =>
        evaluate(graph, feeds, { operators: referenceOperators }).get(signals.get('input')!)!.data,
    );
    const scale = Math.max(...wanted!.map(Math.abs));
    expect(scale).toBeGreaterThan(0);
    // Two roundings of weights and that of the mean's share to float32.
    got!.forEach((value, i) => {
      expect(Math.abs(value - wanted![i]!)).toBeLessThanOrEqual(4 * 2 ** -24 * scale);
    });
  });

  it('stays behind a convolution that something else reads', () => {
    const builder = new GraphBuilder(emptyGraph('shared', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: [1, 2, 3, 3] });
    const conv = builder.node('Conv', [x, builder.floats([1, 2, 3, 4], [2, 2, 1, 1])]);
    const scaled = builder.node('Mul', [conv, builder.floats([2, 3], [2, 1, 1])]);
    const give = (name: string) => builder.output({ name, type: 'float32', dims: undefined });
    give(scaled);
    const alone = builder.build();
    expect(foldScales(alone, inferWithInputs(alone, undefined)).graph.nodes).toHaveLength(1);
    give(conv);
    const shared = builder.build();
    expect(foldScales(shared, inferWithInputs(shared, undefined)).graph).toBe(shared);
  });
});
