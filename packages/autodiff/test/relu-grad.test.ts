import { emptyGraph, evaluate, type Graph, GraphBuilder } from '@unitscope/onnx';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ReluGradRule, reluGrad } from '../src/operators/relu-grad.js';
import { feed } from './support/check-gradient.js';
import { runOnRuntime } from './support/check-rule.js';
import { referenceOperators } from './support/reference-operators.js';
import { lowerOperators } from './support/rule-harness.js';

const RULES: readonly ReluGradRule[] = ['gradient', 'guided', 'deconvnet'];

function reluGradGraph(rule: string, size: number, ceiling?: number): Graph {
  const builder = new GraphBuilder(emptyGraph('case', 18));
  const inputs = ['y', 'dy'].map((name) => builder.input({ name, type: 'float32', dims: [size] }));
  const attributes = { rule, ceiling: ceiling === undefined ? undefined : { float: ceiling } };
  const dx = builder.node('ReluGrad', inputs, attributes, { domain: 'unitscope' });
  // lowerOperators keeps the outputs' names, so the result is named by an operator behind it.
  builder.append({
    name: 'dx',
    operator: 'Identity',
    domain: '',
    inputs: [dx],
    outputs: ['dx'],
    attributes: new Map(),
  });
  builder.output({ name: 'dx', type: 'float32', dims: [size] });
  return builder.build();
}

/** By the definition, lowered in float64, and lowered on ONNX Runtime; 0 in place of -0. */
async function threeWays(rule: ReluGradRule, y: readonly number[], dy: readonly number[], ceiling?: number) {
  const graph = reluGradGraph(rule, y.length, ceiling);
  const feeds = { y: feed(y), dy: feed(dy) };
  const lowered = lowerOperators(graph, [reluGrad]);
  const plain = (data: Iterable<number>) => Array.from(data, (value) => value + 0);
  return {
    defined: plain(evaluate(graph, feeds, { operators: referenceOperators }).get('dx')!.data),
    lowered: plain(evaluate(lowered, feeds).get('dx')!.data),
    run: plain((await runOnRuntime(lowered, feeds)).get('dx')!.data),
  };
}

describe('ReluGrad', () => {
  // 2^-126 is the smallest normal float32.
  const outputs = [0, -0, 2 ** -126, 1e-30, 1e-7, 1, 3.5, 1e30, 3.4e38, Number.POSITIVE_INFINITY];
  const signals = [1, -1, 0, -0, 1e-38, -1e-38, 2.5, -3e38, 3e38];
  const pairs = outputs.flatMap((y) => signals.map((dy) => [y, dy] as const));
  const y = pairs.map(([output]) => output);
  const dy = pairs.map(([, signal]) => signal);

  it.each(RULES)('%s: the lowering is the definition for all that is finite and normal', async (rule) => {
    for (const ceiling of [undefined, 6, 1, 0.1, 255, 1e6].map((c) =>
      c === undefined ? c : Math.fround(c),
    )) {
      const besides =
        ceiling === undefined
          ? []
          : [ceiling, ceiling - ceiling * 2 ** -24, ceiling + ceiling * 2 ** -23].map(Math.fround);
      const { defined, lowered, run } = await threeWays(
        rule,
        [...y, ...besides],
        [...dy, ...besides.map(() => 2)],
        ceiling,
      );
      expect(lowered).toEqual(defined);
      expect(run).toEqual(defined);
    }
  });

  it.each(RULES)('%s: any output of a ReLU, any signal', async (rule) => {
    const normalFloat = fc
      .float({ noNaN: true, noDefaultInfinity: true })
      .map((value) => (Math.abs(value) < 2 ** -126 ? 0 : value));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(normalFloat, normalFloat), { minLength: 1 }), async (values) => {
        const { defined, lowered, run } = await threeWays(
          rule,
          values.map(([output]) => Math.abs(output)),
          values.map(([, signal]) => signal),
        );
        expect(lowered).toEqual(defined);
        expect(run).toEqual(defined);
      }),
      { numRuns: 40, seed: 5 },
    );
  });

  it('differs where it says so: not finite, not normal', async () => {
    const special = [Number.NaN, 0, 0, 1e-39];
    const arriving = [1, Number.POSITIVE_INFINITY, Number.NaN, 1];
    const { defined, run } = await threeWays('gradient', special, arriving);
    expect(defined).toEqual([0, 0, 0, 1]);
    expect(run.slice(0, 3)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(run[3]).toBeGreaterThanOrEqual(0);
    expect(run[3]).toBeLessThan(1);
  });

  it('keeps infinite and NaN signals where the unit is active', async () => {
    const { run } = await threeWays('gradient', [1, 1], [Number.NEGATIVE_INFINITY, Number.NaN]);
    expect(run).toEqual([Number.NEGATIVE_INFINITY, Number.NaN]);
  });

  it('refuses a rule it does not know', () => {
    expect(() => lowerOperators(reluGradGraph('linear', 2), [reluGrad])).toThrow(
      /ReluGrad.*gradient, guided or deconvnet/,
    );
  });
});
