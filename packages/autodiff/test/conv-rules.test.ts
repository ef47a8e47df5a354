import { evaluate, type PlainAttributes } from '@unitscope/onnx';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nativeOperators } from '../src/registry.js';
import type { Rule } from '../src/rule.js';
import { conv } from '../src/rules/conv.js';
import { convTranspose } from '../src/rules/conv-transpose.js';
import { gemm } from '../src/rules/gemm.js';
import { matMul } from '../src/rules/mat-mul.js';
import { checkRule, nodeGraph, normal, relativeError } from './support/check-rule.js';
import { golden, goldenCases, goldenFloat, hasGoldens, pairOf } from './support/goldens.js';
import { differentiateNode, lowerOperators } from './support/rule-harness.js';

/** One spatial axis of a convolution. */
const axis = fc.record({
  size: fc.integer({ min: 1, max: 9 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  begin: fc.integer({ min: 0, max: 4 }),
  end: fc.integer({ min: 0, max: 4 }),
});

const geometry = fc.record({
  axes: fc.array(axis, { minLength: 1, maxLength: 2 }),
  groups: fc.integer({ min: 1, max: 3 }),
  inputsPerGroup: fc.integer({ min: 1, max: 2 }),
  outputsPerGroup: fc.integer({ min: 1, max: 3 }),
  autoPad: fc.constantFrom('NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
  seed: fc.integer({ min: 0, max: 1000 }),
});

function padding(
  autoPad: string,
  axes: readonly { readonly begin: number; readonly end: number }[],
): PlainAttributes {
  if (autoPad !== 'NOTSET') return { auto_pad: autoPad };
  return { pads: [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)] };
}

describe('conv', () => {
  it('is the transpose of the convolution for every geometry', async () => {
    await fc.assert(
      fc.asyncProperty(geometry, async ({ axes, groups, inputsPerGroup, outputsPerGroup, autoPad, seed }) => {
        const pad = (one: (typeof axes)[number]) => (autoPad === 'NOTSET' ? one.begin + one.end : 0);
        fc.pre(
          axes.every((one) => one.dilation * (one.kernel - 1) + 1 <= one.size + pad(one)) ||
            autoPad.startsWith('SAME'),
        );
        const kernel = axes.map((one) => one.kernel);
        await checkRule(
          conv.gradient,
          {
            operator: 'Conv',
            feeds: { x: normal(seed, [2, groups * inputsPerGroup, ...axes.map(({ size }) => size)]) },
            constants: {
              w: normal(seed + 1, [groups * outputsPerGroup, inputsPerGroup, ...kernel]),
              b: normal(seed + 2, [groups * outputsPerGroup]),
            },
            attributes: {
              kernel_shape: kernel,
              strides: axes.map(({ stride }) => stride),
              dilations: axes.map(({ dilation }) => dilation),
              group: groups,
              ...padding(autoPad, axes),
            },
          },
          { seed, components: 12 },
        );
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it.each([
    ['stride 1 keeps a convolution', { pads: [1, 1, 1, 1] }, 'Conv'],
    ['stride 2 is a transposed convolution', { strides: [2, 2] }, 'ConvTranspose'],
  ])('%s', (_, attributes, operator) => {
    const graph = nodeGraph({
      operator: 'Conv',
      feeds: { x: normal(1, [1, 2, 8, 8]) },
      constants: { w: normal(2, [3, 2, 3, 3]) },
      attributes,
    });
    const { nodes } = differentiateNode(graph, conv.gradient, { wrt: ['x'] });
    expect(nodes.slice(1, -1).map((node) => node.operator)).toEqual([operator]);
  });

  it('covers weights that are computed', async () => {
    for (const strides of [
      [1, 1],
      [2, 1],
    ]) {
      await checkRule(conv.gradient, {
        operator: 'Conv',
        feeds: { x: normal(1, [2, 2, 7, 6]), w: normal(2, [3, 2, 3, 3]) },
        attributes: { strides, pads: [1, 0, 1, 2] },
      });
    }
  });

  it('covers three spatial axes', async () => {
    await checkRule(conv.gradient, {
      operator: 'Conv',
      feeds: { x: normal(1, [1, 2, 4, 5, 3]) },
      constants: { w: normal(2, [2, 2, 2, 3, 1]) },
      attributes: { pads: [0, 1, 0, 1, 1, 0] },
    });
  });

  it('has the gradients of weights and bias for every geometry', async () => {
    await fc.assert(
      fc.asyncProperty(
        geometry,
        fc.boolean(),
        async ({ axes, groups, inputsPerGroup, outputsPerGroup, autoPad, seed }, isWide) => {
          const pad = (one: (typeof axes)[number]) => (autoPad === 'NOTSET' ? one.begin + one.end : 0);
          fc.pre(
            axes.every((one) => one.dilation * (one.kernel - 1) + 1 <= one.size + pad(one)) ||
              autoPad.startsWith('SAME'),
          );
          const kernel = axes.map((one) => one.kernel);
          const inputs = isWide ? inputsPerGroup + 8 : inputsPerGroup;
          await checkRule(
            conv.gradient,
            {
              operator: 'Conv',
              feeds: {
                x: normal(seed, [2, groups * inputs, ...axes.map(({ size }) => size)]),
                w: normal(seed + 1, [groups * outputsPerGroup, inputs, ...kernel]),
                b: normal(seed + 2, [groups * outputsPerGroup]),
              },
              parameters: ['w', 'b'],
              attributes: {
                kernel_shape: kernel,
                strides: axes.map(({ stride }) => stride),
                dilations: axes.map(({ dilation }) => dilation),
                group: groups,
                ...padding(autoPad, axes),
              },
            },
            { wrt: ['x', 'w', 'b'], seed, components: 8 },
          );
        },
      ),
      { numRuns: 40, seed: 31 },
    );
  }, 20_000);

  it('computes the weight gradient in one operator, lowered to one convolution or one product per tap', () => {
    const operators = (channels: number, kernel: number) => {
      const graph = nodeGraph({
        operator: 'Conv',
        feeds: { x: normal(1, [2, channels, 8, 8]), w: normal(2, [4, channels, kernel, kernel]) },
        parameters: ['w'],
      });
      const backward = differentiateNode(graph, conv.gradient, { wrt: ['w'] });
      const names = backward.nodes.slice(1).map((node) => node.operator);
      const lowered = lowerOperators(backward, [...nativeOperators.values()]);
      return [names, lowered.nodes.slice(1).map((node) => node.operator)] as const;
    };
    const [few, fewLowered] = operators(3, 3);
    expect(few).toEqual(['ConvWeightGrad', 'Identity']);
    expect(fewLowered.filter((operator) => operator === 'Conv')).toHaveLength(1);
    const [, manyLowered] = operators(16, 3);
    expect(manyLowered.filter((operator) => operator === 'Gemm')).toHaveLength(9);
    expect(manyLowered).not.toContain('Conv');
    const [pointwise] = operators(16, 1);
    expect(pointwise).toContain('MatMul');
    expect(pointwise).not.toContain('ConvWeightGrad');
  });

  it('has the gradients of a depthwise convolution', async () => {
    await checkRule(
      conv.gradient,
      {
        operator: 'Conv',
        feeds: { x: normal(1, [3, 6, 7, 5]), w: normal(2, [12, 1, 3, 3]), b: normal(3, [12]) },
        parameters: ['w', 'b'],
        attributes: { group: 6, strides: [2, 2], pads: [1, 1, 1, 1] },
      },
      { wrt: ['x', 'w', 'b'] },
    );
  });
});

describe('conv-transpose', () => {
  const transposedAxis = fc.record({
    size: fc.integer({ min: 1, max: 5 }),
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    begin: fc.integer({ min: 0, max: 2 }),
    end: fc.integer({ min: 0, max: 2 }),
    outputPadding: fc.integer({ min: 0, max: 2 }),
  });

  it('is the convolution with the same weights for every geometry, its parameters included', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(transposedAxis, { minLength: 1, maxLength: 2 }),
        fc.integer({ min: 1, max: 2 }),
        fc.constantFrom('NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID', 'output_shape'),
        fc.integer({ min: 0, max: 1000 }),
        async (axes, groups, autoPad, seed) => {
          const natural = axes.map(
            ({ size, kernel, stride, dilation }) => stride * (size - 1) + dilation * (kernel - 1) + 1,
          );
          // ONNX Runtime refuses output padding of a stride or more.
          const paddings = axes.map(({ outputPadding, stride }) =>
            autoPad === 'NOTSET' ? Math.min(outputPadding, stride - 1) : 0,
          );
          if (autoPad === 'NOTSET') {
            fc.pre(axes.every((one, i) => natural[i]! + paddings[i]! > one.begin + one.end));
          }
          const shape: PlainAttributes =
            autoPad === 'output_shape'
              ? { output_shape: axes.map(({ begin }, i) => Math.max(1, natural[i]! - begin)) }
              : padding(autoPad, axes);
          const kernel = axes.map((one) => one.kernel);
          await checkRule(
            convTranspose.gradient,
            {
              operator: 'ConvTranspose',
              feeds: {
                x: normal(seed, [2, 2 * groups, ...axes.map(({ size }) => size)]),
                w: normal(seed + 1, [2 * groups, 3, ...kernel]),
                b: normal(seed + 2, [3 * groups]),
              },
              parameters: ['w', 'b'],
              attributes: {
                kernel_shape: kernel,
                strides: axes.map(({ stride }) => stride),
                dilations: axes.map(({ dilation }) => dilation),
                output_padding: paddings,
                group: groups,
                ...shape,
              },
            },
            { wrt: ['x', 'w', 'b'], seed, components: 8 },
          );
        },
      ),
      { numRuns: 60, seed: 12 },
    );
  }, 20_000);
});

describe('gemm', () => {
  it.each([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ])('transA %i, transB %i: all three inputs', async (transA, transB) => {
    await checkRule(
      gemm.gradient,
      {
        operator: 'Gemm',
        feeds: {
          a: normal(1, transA ? [4, 3] : [3, 4]),
          b: normal(2, transB ? [5, 4] : [4, 5]),
          c: normal(3, [5]),
        },
        attributes: { transA, transB, alpha: { float: 0.5 }, beta: { float: 3 } },
        symbolicBatch: false,
      },
      { wrt: ['a', 'b', 'c'] },
    );
  });

  it('leaves alpha and beta at 1 and C out', async () => {
    await checkRule(gemm.gradient, {
      operator: 'Gemm',
      feeds: { a: normal(1, [2, 6]) },
      constants: { b: normal(2, [3, 6]) },
      attributes: { transB: 1 },
    });
  });
});

describe('mat-mul', () => {
  it.each([
    [
      [3, 4],
      [4, 5],
    ],
    [
      [2, 3, 4],
      [4, 5],
    ],
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    [
      [3, 4],
      [2, 4, 5],
    ],
    [
      [2, 1, 3, 4],
      [5, 4, 2],
    ],
    [[4], [4, 5]],
    [[4], [2, 4, 5]],
    [[3, 4], [4]],
    [[2, 3, 4], [4]],
    [[4], [4]],
  ])('%j times %j: both inputs', async (a, b) => {
    await checkRule(
      matMul.gradient,
      { operator: 'MatMul', feeds: { a: normal(1, a), b: normal(2, b) }, symbolicBatch: false },
      { wrt: ['a', 'b'] },
    );
  });

  it('keeps a symbolic batch', async () => {
    await checkRule(matMul.gradient, {
      operator: 'MatMul',
      feeds: { a: normal(1, [2, 3, 4]) },
      constants: { b: normal(2, [4, 5]) },
    });
  });
});

describe.skipIf(!hasGoldens)('golden cases', () => {
  it.each([...goldenCases('Conv')])('$name', ({ name, stride, pad, dilation, groups = 1 }) => {
    expectGolden(name, conv.gradient, {
      strides: pairOf(stride),
      pads: [...pairOf(pad), ...pairOf(pad)],
      dilations: pairOf(dilation),
      group: groups,
    });
  });

  it.each([...goldenCases('ConvTranspose')])('$name', ({ name, stride, pad, output_padding }) => {
    expectGolden(name, convTranspose.gradient, {
      strides: pairOf(stride),
      pads: [...pairOf(pad), ...pairOf(pad)],
      output_padding: pairOf(output_padding),
    });
  });

  it.each([...goldenCases('Gemm')])('$name', ({ name, transB = 0 }) => {
    expectGolden(name, gemm.gradient, { transB });
  });

  function expectGolden(name: string, rule: Rule, attributes: PlainAttributes): void {
    const feeds = { x: goldenFloat(`${name}.x`) };
    const constants = { w: goldenFloat(`${name}.w`), b: goldenFloat(`${name}.b`) };
    const graph = nodeGraph({ operator: rule.operator, feeds, constants, attributes });
    const [y] = evaluate(graph, feeds).values();
    expect(relativeError(y!.data, golden(`${name}.y`).data)).toBeLessThan(1e-12);
    const backward = differentiateNode(graph, rule, { wrt: ['x'] });
    const all = { ...feeds, signal: goldenFloat(`${name}.gy`) };
    const gradient = evaluate(backward, all).get('grad_x')!;
    expect(gradient.dims).toEqual(feeds.x.dims);
    expect(relativeError(gradient.data, golden(`${name}.gx`).data)).toBeLessThan(1e-12);
  }
});
