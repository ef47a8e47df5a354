import { compile, gradient, type Lowering } from '@unitscope/autodiff';
import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { describe, expect, it } from 'vitest';
import { planOf, readProfile, withTimes } from '../src/plan.js';
import { tinyNetwork } from './support/networks.js';

const compiledTiny = (lowering: Lowering) =>
  compile(tinyNetwork(), {
    objective: { kind: 'class', value: 'fc:out' },
    wrt: ['picture'],
    composite: gradient,
    lowering,
  });

const compiledFrom = (graph: Graph, rules: Readonly<Record<string, string>> = {}) => ({
  ...compiledTiny('portable'),
  graph,
  placement: graph.nodes.map(({ name, operator }) => ({ node: name, operator, layout: 'nchw' as const })),
  plan: Object.entries(rules).map(([node, rule]) => ({ node, operator: '', rule })),
});

describe('planOf', () => {
  it('names every node of both passes, and the rules of the backward pass', () => {
    const compiled = compiledTiny({ kind: 'native' });
    const nodes = planOf(compiled);
    expect(nodes.map(({ node }) => node)).toEqual(compiled.graph.nodes.map(({ name }) => name));
    const find = (name: string) => nodes.find(({ node }) => node === name);
    const ruleOf = (name: string) => compiled.plan.find(({ node }) => node === name)!.rule;
    expect(find('relu')).toEqual({
      node: 'relu',
      operator: 'Relu',
      rule: ruleOf('relu'),
      lowering: 'portable',
      layout: 'nchw',
    });
    expect(find('grad/pool/MaxPoolGrad')).toEqual({
      node: 'grad/pool/MaxPoolGrad',
      operator: 'unitscope::MaxPoolGrad',
      rule: ruleOf('pool'),
      lowering: 'native',
      layout: 'nchw',
      fused: 'grad/relu/ReluGrad',
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

  it('says what is of the blocked layout, and what was fused', () => {
    const nodes = planOf(compiledTiny({ kind: 'blocked', block: 8 }));
    expect(nodes.some(({ lowering }) => lowering === 'blocked')).toBe(true);
    const pool = nodes.find(({ node }) => node === 'grad/pool/MaxPoolGrad');
    expect(pool).toMatchObject({ lowering: 'native', layout: 'blocked' });
    expect(nodes.some(({ fused }) => fused?.includes('ReluGrad'))).toBe(true);
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
      { node: 'conv', operator: 'Conv', rule: undefined, lowering: 'portable', layout: 'nchw' },
      {
        node: 'relu',
        operator: 'Relu',
        rule: undefined,
        lowering: 'portable',
        layout: 'blocked',
        milliseconds: 0.04,
        ranAs: 'Conv',
      },
      {
        node: 'ReorderOutput_token_1',
        operator: 'ReorderOutput',
        rule: undefined,
        lowering: 'blocked',
        layout: 'nchw',
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
