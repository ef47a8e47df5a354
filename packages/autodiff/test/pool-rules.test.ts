import { evaluate, type PlainAttributes } from '@unitscope/onnx';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxPoolGrad } from '../src/operators/max-pool-grad.js';
import { nativeOperators } from '../src/registry.js';
import type { Rule } from '../src/rule.js';
import { averagePool } from '../src/rules/average-pool.js';
import { globalAveragePool } from '../src/rules/global-average-pool.js';
import { globalMaxPool } from '../src/rules/global-max-pool.js';
import { maxPool } from '../src/rules/max-pool.js';
import {
  checkRule,
  distinct,
  nodeGraph,
  normal,
  relativeError,
  runOnRuntime,
  tied,
} from './support/check-rule.js';
import { type GoldenCase, golden, goldenCases, goldenFloat, hasGoldens, pairOf } from './support/goldens.js';
import { referenceOperators } from './support/reference-operators.js';
import { differentiateNode, lowerOperators } from './support/rule-harness.js';

/** One spatial axis of a pooling. */
const axis = fc.record({
  size: fc.integer({ min: 1, max: 11 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 4 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  begin: fc.integer({ min: 0, max: 3 }),
  end: fc.integer({ min: 0, max: 3 }),
});

const geometry = fc
  .record({
    axes: fc.array(axis, { minLength: 1, maxLength: 2 }),
    autoPad: fc.constantFrom('NOTSET', 'NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
    ceil: fc.boolean(),
    includePad: fc.boolean(),
    side: fc.boolean(),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .map(({ axes, side, ...rest }) => ({
    ...rest,
    // Half of the cases have windows side by side, which are passed on in another way.
    axes: axes.map((one) => (side ? { ...one, stride: one.kernel, dilation: 1 } : one)),
  }))
  .map(({ axes, ...rest }) => ({
    ...rest,
    // Pads must be smaller than the kernel.
    axes: axes.map((one) => ({
      ...one,
      begin: Math.min(one.begin, one.kernel - 1),
      end: Math.min(one.end, one.kernel - 1),
    })),
  }));

type Geometry = typeof geometry extends fc.Arbitrary<infer T> ? T : never;

/** Whether a window fits, and no window of ceil_mode lies in padding alone, where runtimes disagree. */
function isPlain({ axes, autoPad, ceil }: Geometry): boolean {
  return axes.every((one) => {
    const extent = one.dilation * (one.kernel - 1) + 1;
    if (autoPad.startsWith('SAME')) return true;
    const [begin, end] = autoPad === 'NOTSET' ? [one.begin, one.end] : [0, 0];
    if (extent > one.size + begin + end) return false;
    const windows = Math.ceil((one.size + begin + end - extent) / one.stride) + 1;
    return !ceil || (windows - 1) * one.stride < one.size + begin;
  });
}

function attributesOf({ axes, autoPad, ceil }: Geometry): PlainAttributes {
  return {
    kernel_shape: axes.map(({ kernel }) => kernel),
    strides: axes.map(({ stride }) => stride),
    dilations: axes.map(({ dilation }) => dilation),
    ceil_mode: ceil ? 1 : 0,
    ...(autoPad === 'NOTSET'
      ? { pads: [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)] }
      : { auto_pad: autoPad }),
  };
}

/** With dilation a window can step over the whole input: its maximum and its mean are then undefined. */
function everyWindowHasCells(one: Geometry): boolean {
  const feeds = { x: normal(0, dimsOf(one)) };
  const [y] = evaluate(
    nodeGraph({ operator: 'MaxPool', feeds, attributes: attributesOf(one) }),
    feeds,
  ).values();
  return y!.data.every(Number.isFinite);
}

const dimsOf = ({ axes }: Geometry) => [2, 3, ...axes.map(({ size }) => size)];

describe('max-pool', () => {
  it('passes the signal to the largest cell for every geometry', async () => {
    await fc.assert(
      fc.asyncProperty(geometry, async (one) => {
        fc.pre(isPlain(one) && everyWindowHasCells(one));
        await checkRule(
          maxPool.gradient,
          {
            operator: 'MaxPool',
            feeds: { x: distinct(one.seed, dimsOf(one)) },
            attributes: attributesOf(one),
          },
          { seed: one.seed, components: 12, step: 1e-3 },
        );
      }),
      { numRuns: 60, seed: 21 },
    );
  });

  it('passes it to the first of equal cells in row-major order, lowered or not', async () => {
    await fc.assert(
      fc.asyncProperty(geometry, async (one) => {
        fc.pre(isPlain(one) && everyWindowHasCells(one));
        const feeds = { x: tied(one.seed, dimsOf(one)) };
        const graph = nodeGraph({ operator: 'MaxPool', feeds, attributes: attributesOf(one) });
        const [y] = evaluate(graph, feeds).values();
        const all = { ...feeds, signal: normal(one.seed, y!.dims) };
        const backward = differentiateNode(graph, maxPool.gradient, { wrt: ['x'] });
        const wanted = evaluate(backward, all, { operators: referenceOperators }).get('grad_x')!;
        const lowered = lowerOperators(backward, [maxPoolGrad]);
        expect(relativeError(evaluate(lowered, all).get('grad_x')!.data, wanted.data)).toBeLessThan(1e-14);
        const run = await runOnRuntime(lowered, all);
        expect(relativeError(run.get('grad_x')!.data, wanted.data)).toBeLessThan(1e-6);
      }),
      { numRuns: 60, seed: 22 },
    );
  });

  it('adds where windows overlap and gives equal cells one winner: all the same value', () => {
    const feeds = { x: { dims: [1, 1, 3, 5], data: new Float32Array(15) } };
    const graph = nodeGraph({
      operator: 'MaxPool',
      feeds,
      attributes: { kernel_shape: [3, 3], strides: [2, 2] },
    });
    const backward = differentiateNode(graph, maxPool.gradient, { wrt: ['x'] });
    const signal = { dims: [1, 1, 1, 2], data: Float32Array.of(3, 5) };
    const lowered = lowerOperators(backward, [maxPoolGrad]);
    const wanted = [3, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    expect([...evaluate(lowered, { ...feeds, signal }).get('grad_x')!.data]).toEqual(wanted);
  });

  it('refuses a signal at Indices by name', () => {
    const graph = nodeGraph({
      operator: 'MaxPool',
      feeds: { x: normal(1, [1, 1, 4, 4]) },
      attributes: { kernel_shape: [2, 2] },
    });
    const [node] = graph.nodes;
    const two = {
      ...graph,
      nodes: [{ ...node!, outputs: [node!.outputs[0]!, 'indices'] }],
      valueInfo: new Map([['indices', { name: 'indices', type: 'int64', dims: ['N', 1, 3, 3] } as const]]),
    };
    const options = { wrt: ['x'], signals: [1] };
    expect(() => differentiateNode(two, maxPool.gradient, options)).toThrow(/MaxPool.*Indices/);
  });
});

describe('average-pool', () => {
  it('shares the signal out for every geometry', async () => {
    await fc.assert(
      fc.asyncProperty(geometry, async (one) => {
        fc.pre(isPlain(one) && everyWindowHasCells(one));
        await checkRule(
          averagePool.gradient,
          {
            operator: 'AveragePool',
            feeds: { x: normal(one.seed, dimsOf(one)) },
            attributes: { ...attributesOf(one), count_include_pad: one.includePad ? 1 : 0 },
            opset: 19,
          },
          { seed: one.seed, components: 12 },
        );
      }),
      { numRuns: 60, seed: 23 },
    );
  });

  it('covers a window as large as the input, and three spatial axes', async () => {
    await checkRule(averagePool.gradient, {
      operator: 'AveragePool',
      feeds: { x: normal(1, [2, 3, 7, 5]) },
      attributes: { kernel_shape: [7, 5] },
    });
    await checkRule(averagePool.gradient, {
      operator: 'AveragePool',
      feeds: { x: normal(1, [1, 2, 4, 6, 5]) },
      attributes: { kernel_shape: [2, 2, 2], strides: [2, 2, 2] },
    });
  });
});

describe('global pooling', () => {
  it.each([[[2, 3, 5, 4]], [[2, 3, 7]], [[1, 2, 2, 3, 2]], [[2, 3, 1, 1]]])('of %j', async (dims) => {
    await checkRule(globalAveragePool.gradient, {
      operator: 'GlobalAveragePool',
      feeds: { x: normal(1, dims) },
    });
    await checkRule(
      globalMaxPool.gradient,
      { operator: 'GlobalMaxPool', feeds: { x: distinct(1, dims) } },
      { step: 1e-3 },
    );
  });

  it('passes to the first of equal maxima', async () => {
    const feeds = { x: { dims: [1, 2, 2, 2], data: Float32Array.of(0, 4, 4, 1, 7, 7, 7, 7) } };
    const graph = nodeGraph({ operator: 'GlobalMaxPool', feeds });
    const backward = differentiateNode(graph, globalMaxPool.gradient, { wrt: ['x'] });
    const all = { ...feeds, signal: { dims: [1, 2, 1, 1], data: Float32Array.of(3, 5) } };
    const wanted = [0, 3, 0, 0, 5, 0, 0, 0];
    expect([...evaluate(backward, all).get('grad_x')!.data]).toEqual(wanted);
    expect([...(await runOnRuntime(backward, all)).get('grad_x')!.data]).toEqual(wanted);
  });
});

describe.skipIf(!hasGoldens)('golden cases', () => {
  function windowOf({ kernel, stride, pad, ceil }: GoldenCase): PlainAttributes {
    return {
      kernel_shape: pairOf(kernel),
      strides: pairOf(stride),
      pads: [...pairOf(pad), ...pairOf(pad)],
      ceil_mode: ceil === true ? 1 : 0,
    };
  }

  it.each([...goldenCases('MaxPool')])('$name', async (one) => {
    await expectGolden(one.name, maxPool.gradient, windowOf(one));
  });

  it.each([...goldenCases('AveragePool')])('$name', async (one) => {
    const attributes = { ...windowOf(one), count_include_pad: one.count_include_pad === true ? 1 : 0 };
    await expectGolden(one.name, averagePool.gradient, attributes);
  });

  it.each([...goldenCases('GlobalAveragePool')])('$name', async ({ name }) => {
    await expectGolden(name, globalAveragePool.gradient, {});
  });

  async function expectGolden(name: string, rule: Rule, attributes: PlainAttributes): Promise<void> {
    const feeds = { x: goldenFloat(`${name}.x`) };
    const graph = nodeGraph({ operator: rule.operator, feeds, attributes });
    const [y] = evaluate(graph, feeds).values();
    expect(relativeError(y!.data, golden(`${name}.y`).data)).toBeLessThan(1e-12);
    const all = { ...feeds, signal: goldenFloat(`${name}.gy`) };
    const lowered = lowerOperators(differentiateNode(graph, rule, { wrt: ['x'] }), [
      ...nativeOperators.values(),
    ]);
    const wanted = golden(`${name}.gx`).data;
    // Shares such as 1/9 are float32 constants of the graph.
    expect(relativeError(evaluate(lowered, all).get('grad_x')!.data, wanted)).toBeLessThan(6e-8);
    expect(relativeError((await runOnRuntime(lowered, all)).get('grad_x')!.data, wanted)).toBeLessThan(1e-6);
  }
});
