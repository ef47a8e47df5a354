import { evaluate } from '@unitscope/onnx';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Rule } from '../src/rule.js';
import { batchNormalization } from '../src/rules/batch-normalization.js';
import { instanceNormalization } from '../src/rules/instance-normalization.js';
import { layerNormalization } from '../src/rules/layer-normalization.js';
import { lrn } from '../src/rules/lrn.js';
import { checkRule, type NodeCase, nodeGraph, normal, relativeError } from './support/check-rule.js';
import { golden, goldenCases, goldenFloat, hasGoldens } from './support/goldens.js';
import { differentiateNode } from './support/rule-harness.js';

function positive(seed: number, dims: readonly number[]) {
  const { data } = normal(seed, dims);
  return { dims, data: data.map((value) => 0.1 + value * value) };
}

describe('batch-normalization', () => {
  const constants = {
    scale: normal(2, [3]),
    bias: normal(3, [3]),
    mean: normal(4, [3]),
    variance: positive(5, [3]),
  };

  it.each([[[2, 3]], [[2, 3, 5]], [[2, 3, 4, 5]], [[1, 3, 2, 3, 2]]])('of %j', async (dims) => {
    await checkRule(batchNormalization.gradient, {
      operator: 'BatchNormalization',
      feeds: { x: normal(1, dims) },
      constants,
      attributes: { epsilon: { float: 1e-3 } },
    });
  });

  it('covers parameters that are computed', async () => {
    const { scale, variance, ...rest } = constants;
    await checkRule(batchNormalization.gradient, {
      operator: 'BatchNormalization',
      feeds: { x: normal(1, [2, 3, 4, 5]), scale, variance },
      constants: rest,
      order: ['x', 'scale', 'bias', 'mean', 'variance'],
      symbolicBatch: false,
    });
  });

  it('refuses training by name', () => {
    const graph = (training: number, nodeCase: Partial<NodeCase>) =>
      nodeGraph({
        operator: 'BatchNormalization',
        feeds: { x: normal(1, [2, 3, 4]) },
        constants,
        attributes: { training_mode: training },
        ...nodeCase,
      });
    const plain = graph(0, {});
    const [node] = plain.nodes;
    const training = {
      ...plain,
      nodes: [{ ...node!, attributes: new Map([['training_mode', { kind: 'int', value: 1 } as const]]) }],
    };
    expect(() => differentiateNode(training, batchNormalization.gradient, { wrt: ['x'] })).toThrow(
      /BatchNormalization.*training_mode/,
    );
  });

  it.each([[[4, 3]], [[2, 3, 5]], [[2, 3, 4, 5]]])(
    'has the gradients of scale and bias, of %j',
    async (dims) => {
      const { scale, bias, ...statistics } = constants;
      await checkRule(
        batchNormalization.gradient,
        {
          operator: 'BatchNormalization',
          feeds: { x: normal(1, dims), scale, bias },
          constants: statistics,
          parameters: ['scale', 'bias'],
          attributes: { epsilon: { float: 1e-3 } },
        },
        { wrt: ['x', 'scale', 'bias'] },
      );
    },
  );

  it('has no gradient of its statistics', () => {
    const { mean, ...rest } = constants;
    const open = nodeGraph({
      operator: 'BatchNormalization',
      feeds: { x: normal(1, [2, 3, 4]), mean },
      parameters: ['mean'],
      constants: rest,
      order: ['x', 'scale', 'bias', 'mean', 'variance'],
    });
    expect(() => differentiateNode(open, batchNormalization.gradient, { wrt: ['mean'] })).toThrow(
      /BatchNormalization.*statistics/,
    );
  });
});

describe('instance-normalization', () => {
  it.each([[[2, 3, 5]], [[2, 3, 4, 5]]])('of %j', async (dims) => {
    await checkRule(instanceNormalization.gradient, {
      operator: 'InstanceNormalization',
      feeds: { x: normal(1, dims) },
      constants: { scale: normal(2, [3]), bias: normal(3, [3]) },
      attributes: { epsilon: { float: 1e-2 } },
    });
    await checkRule(
      instanceNormalization.gradient,
      {
        operator: 'InstanceNormalization',
        feeds: { x: normal(1, dims), scale: normal(2, [3]), bias: normal(3, [3]) },
        parameters: ['scale', 'bias'],
        attributes: { epsilon: { float: 1e-2 } },
      },
      { wrt: ['x', 'scale', 'bias'] },
    );
  });
});

describe('layer-normalization', () => {
  it.each([
    [[2, 3, 8], -1],
    [[2, 3, 4, 5], 1],
    [[2, 3, 4, 5], -2],
  ])('of %j from axis %i', async (dims, axis) => {
    const normalized = dims.slice(axis);
    await checkRule(layerNormalization.gradient, {
      operator: 'LayerNormalization',
      feeds: { x: normal(1, dims) },
      constants: { scale: normal(2, normalized), bias: normal(3, normalized) },
      attributes: { axis, epsilon: { float: 1e-2 } },
    });
    await checkRule(
      layerNormalization.gradient,
      {
        operator: 'LayerNormalization',
        feeds: { x: normal(1, dims), scale: normal(2, normalized), bias: normal(3, normalized) },
        parameters: ['scale', 'bias'],
        attributes: { axis, epsilon: { float: 1e-2 } },
      },
      { wrt: ['x', 'scale', 'bias'] },
    );
  });
});

describe('lrn', () => {
  it('has the true gradient for every window and exponent', async () => {
    const parameters = fc.record({
      channels: fc.integer({ min: 1, max: 9 }),
      size: fc.integer({ min: 1, max: 7 }),
      alpha: fc.constantFrom(1e-2, 0.5, 2),
      beta: fc.constantFrom(0.5, 0.75, 1, 0.6),
      bias: fc.constantFrom(1, 2),
      dims: fc.constantFrom([4], [3, 4]),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(parameters, async ({ channels, size, alpha, beta, bias, dims, seed }) => {
        const nodeCase: NodeCase = {
          operator: 'LRN',
          feeds: { x: normal(seed, [2, channels, ...dims]) },
          attributes: { size, alpha: { float: alpha }, beta: { float: beta }, bias: { float: bias } },
        };
        await checkRule(lrn.gradient, nodeCase, { seed, components: 16 });
      }),
      { numRuns: 40, seed: 31 },
    );
  });

  it('as identity hands the signal on', () => {
    const feeds = { x: normal(1, [1, 4, 3, 3]) };
    const graph = nodeGraph({ operator: 'LRN', feeds, attributes: { size: 3 } });
    const signal = normal(2, [1, 4, 3, 3]);
    const backward = differentiateNode(graph, lrn.identity, { wrt: ['x'] });
    expect([...evaluate(backward, { ...feeds, signal }).get('grad_x')!.data]).toEqual([...signal.data]);
  });
});

describe.skipIf(!hasGoldens)('golden cases', () => {
  it.each([...goldenCases('LRN')])('$name', ({ name, size = 0, alpha = 0, beta = 0, bias = 0 }) => {
    expectGolden(name, lrn.gradient, {
      operator: 'LRN',
      feeds: { x: goldenFloat(`${name}.x`) },
      attributes: { size, alpha: { float: alpha }, beta: { float: beta }, bias: { float: bias } },
    });
  });

  it.each([...goldenCases('BatchNormalization')])('$name', ({ name, eps = 0 }) => {
    expectGolden(name, batchNormalization.gradient, {
      operator: 'BatchNormalization',
      feeds: { x: goldenFloat(`${name}.x`) },
      constants: {
        gamma: goldenFloat(`${name}.gamma`),
        beta: goldenFloat(`${name}.beta`),
        mean: goldenFloat(`${name}.mean`),
        var: goldenFloat(`${name}.var`),
      },
      attributes: { epsilon: { float: eps } },
    });
  });

  function expectGolden(name: string, rule: Rule, nodeCase: NodeCase): void {
    const graph = nodeGraph(nodeCase);
    const [y] = evaluate(graph, nodeCase.feeds).values();
    expect(relativeError(y!.data, golden(`${name}.y`).data)).toBeLessThan(1e-10);
    const backward = differentiateNode(graph, rule, { wrt: ['x'] });
    const all = { ...nodeCase.feeds, signal: goldenFloat(`${name}.gy`) };
    const gradient = evaluate(backward, all).get('grad_x')!;
    // Factors such as alpha / size are float32 constants of the graph.
    expect(relativeError(gradient.data, golden(`${name}.gx`).data)).toBeLessThan(6e-8);
  }
});
