import { compile, gradient } from '@unitscope/autodiff';
import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { describe, expect, it } from 'vitest';
import { planOf, readProfile, withTimes } from '../src/plan.js';
import { tinyNetwork } from './support/networks.js';

const compiledTiny = (lowering: 'portable' | 'native') =>
  compile(tinyNetwork(), {
    objective: { kind: 'class', value: 'fc:out' },
    wrt: ['picture'],
    composite: gradient,
    lowering,
  });

const compiledFrom = (graph: Graph, rules: Readonly<Record<string, string>> = {}) => ({
  ...compiledTiny('portable'),
  graph,
  plan: Object.entries(rules).map(([node, rule]) => ({ node, operator: '', rule })),
});

describe('planOf', () => {
  it('names every node of both passes, and the rules of the backward pass', () => {
    const compiled = compiledTiny('native');
    const nodes = planOf(compiled);
    expect(nodes.map(({ node }) => node)).toEqual(compiled.graph.nodes.map(({ name }) => name));
    const find = (name: string) => nodes.find(({ node }) => node === name);
    const rule = compiled.plan.find(({ node }) => node === 'relu')!.rule;
    expect(find('relu')).toEqual({
      node: 'relu',
      operator: 'Relu',
      rule,
      lowering: 'portable',
      layout: 'plain',
    });
    expect(find('grad/relu/ReluGrad')).toEqual({
      node: 'grad/relu/ReluGrad',
      operator: 'unitscope::ReluGrad',
      rule,
      lowering: 'native',
      layout: 'plain',
    });
    expect(find('objective/Mul')?.rule).toBeUndefined();
    expect(planOf(compiledTiny('portable')).every(({ lowering }) => lowering === 'portable')).toBe(true);
  });

  it('takes the longest name of a node for its own', () => {
    const builder = new GraphBuilder(emptyGraph('names', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: ['N'] });
    for (const name of ['grad//a/Conv/Conv', 'grad//a/Conv', 'grad//b/Conv', 'a/Conv'])
      builder.node('Neg', [x], {}, { name });
    const compiled = compiledFrom(builder.build(), { '/a': 'outer', '/a/Conv': 'inner' });
    expect(planOf(compiled).map(({ rule }) => rule)).toEqual(['inner', 'outer', undefined, undefined]);
  });

  it('follows the blocked layout from reorder to reorder', () => {
    const builder = new GraphBuilder(emptyGraph('blocks', 18));
    const nchwc = { domain: 'com.microsoft.nchwc' };
    const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 8, 4, 4] });
    const blocked = builder.node('ReorderInput', [x], {}, { ...nchwc, name: 'in' });
    const pooled = builder.node('MaxPool', [blocked], {}, { ...nchwc, name: 'pool' });
    const bent = builder.node('Relu', [pooled], {}, { name: 'bent' });
    const signal = builder.node(
      'MaxPoolGrad',
      [blocked, pooled, bent],
      { block: 8 },
      { domain: 'unitscope', name: 'grad/pool/MaxPoolGrad' },
    );
    const plain = builder.node('ReorderOutput', [signal], {}, { ...nchwc, name: 'out' });
    builder.node('Relu', [plain], {}, { name: 'plain' });
    builder.node('ReduceSum', [bent], {}, { name: 'sum' });
    const nodes = planOf(compiledFrom(builder.build(), { pool: 'max-pool.gradient' }));
    expect(nodes.map(({ node, lowering, layout }) => [node, lowering, layout])).toEqual([
      ['in', 'blocked', 'NCHWc'],
      ['pool', 'blocked', 'NCHWc'],
      ['bent', 'portable', 'NCHWc'],
      ['grad/pool/MaxPoolGrad', 'native', 'NCHWc'],
      ['out', 'blocked', 'plain'],
      ['plain', 'portable', 'plain'],
      ['sum', 'portable', 'plain'],
    ]);
    expect(nodes[3]!.rule).toBe('max-pool.gradient');
  });
});

describe('withTimes', () => {
  const graph = () => {
    const builder = new GraphBuilder(emptyGraph('timed', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 8, 4, 4] });
    const conv = builder.node('Conv', [x, x], {}, { name: 'conv' });
    builder.node('Relu', [conv], {}, { name: 'relu' });
    return builder.build();
  };
  const event = (name: string, operator: string, microseconds: number) => ({
    name: `${name}_kernel_time`,
    dur: microseconds,
    args: { op_name: operator },
  });

  it('takes the median of all runs but the first', () => {
    const compiled = compiledFrom(graph());
    const profile = JSON.stringify([
      { name: 'session_initialization', dur: 9, args: {} },
      ...[900, 10, 30, 20].map((time) => event('conv', 'Conv', time)),
      ...[900, 5, 5, 5].map((time) => event('relu', 'Relu', time)),
    ]);
    const nodes = withTimes(compiled, planOf(compiled), readProfile(profile), 4);
    expect(nodes.map(({ node, milliseconds }) => [node, milliseconds])).toEqual([
      ['conv', 0.02],
      ['relu', 0.005],
    ]);
  });

  it('knows what ONNX Runtime has fused and moved to its own layout by the value it makes', () => {
    const compiled = compiledFrom(graph());
    const profile = JSON.stringify([
      event('relu:out_nchwc', 'Conv', 50),
      event('relu:out_nchwc', 'Conv', 40),
      event('ReorderOutput_token_1', 'ReorderOutput', 8),
      event('ReorderOutput_token_1', 'ReorderOutput', 6),
    ]);
    expect(withTimes(compiled, planOf(compiled), readProfile(profile), 2)).toEqual([
      { node: 'conv', operator: 'Conv', rule: undefined, lowering: 'portable', layout: 'plain' },
      {
        node: 'relu',
        operator: 'Relu',
        rule: undefined,
        lowering: 'portable',
        layout: 'NCHWc',
        milliseconds: 0.04,
      },
      {
        node: 'ReorderOutput_token_1',
        operator: 'ReorderOutput',
        rule: undefined,
        lowering: 'blocked',
        layout: 'plain',
        milliseconds: 0.006,
      },
    ]);
  });

  it('adds up what runs several times in one run', () => {
    const compiled = compiledFrom(graph());
    const profile = JSON.stringify([100, 100, 3, 4, 5, 6].map((time) => event('conv', 'Conv', time)));
    const [conv] = withTimes(compiled, planOf(compiled), readProfile(profile), 3);
    expect(conv!.milliseconds).toBe(0.011);
  });
});
