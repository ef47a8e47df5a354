import type { PlainAttributes } from '@unitscope/onnx';
import type { Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import type { Rule } from '../src/rule.js';
import { clip, isReluLike } from '../src/rules/clip.js';
import { celu, elu, selu } from '../src/rules/elu.js';
import { gelu } from '../src/rules/gelu.js';
import { leakyRelu, prelu, thresholdedRelu } from '../src/rules/leaky-relu.js';
import { relu } from '../src/rules/relu.js';
import { hardSigmoid, hardSwish, sigmoid } from '../src/rules/sigmoid.js';
import { logSoftmax, softmax } from '../src/rules/softmax.js';
import { mish, softplus, softsign } from '../src/rules/softplus.js';
import { tanh } from '../src/rules/tanh.js';
import { abs, ceil, erf, exp, floor, log, neg, reciprocal, round, sign, sqrt } from '../src/rules/unary.js';
import {
  awayFrom,
  buildCase,
  checkGradient,
  emitted,
  feed,
  floats,
  gradientAt,
  scalar,
} from './support/check-gradient.js';
import { differentiateNode } from './support/rule-harness.js';

const DIMS = [2, 3, 4];

/** Numbers from 0.3 up, for functions of positive numbers. */
function positive(seed: number): Tensor {
  const { dims, data } = awayFrom([], seed, DIMS);
  return { dims, data: data.map((value) => 0.3 + Math.abs(value)) };
}

interface Row {
  readonly operator: string;
  readonly rule: Rule;
  readonly attributes?: PlainAttributes;
  readonly kinks?: readonly number[];
  readonly opset?: number;
  readonly positive?: true;
}

const float = (value: number) => ({ float: value });
const rows: readonly Row[] = [
  { operator: 'Exp', rule: exp.gradient },
  { operator: 'Log', rule: log.gradient, positive: true },
  { operator: 'Sqrt', rule: sqrt.gradient, positive: true },
  { operator: 'Reciprocal', rule: reciprocal.gradient, positive: true },
  { operator: 'Neg', rule: neg.gradient },
  { operator: 'Abs', rule: abs.gradient, kinks: [0] },
  { operator: 'Erf', rule: erf.gradient },
  { operator: 'Relu', rule: relu.gradient, kinks: [0] },
  { operator: 'LeakyRelu', rule: leakyRelu.gradient, kinks: [0] },
  { operator: 'LeakyRelu', rule: leakyRelu.gradient, kinks: [0], attributes: { alpha: float(-0.25) } },
  { operator: 'LeakyRelu', rule: leakyRelu.gradient, kinks: [0], attributes: { alpha: float(0) } },
  { operator: 'ThresholdedRelu', rule: thresholdedRelu.gradient, kinks: [1] },
  {
    operator: 'ThresholdedRelu',
    rule: thresholdedRelu.gradient,
    kinks: [-1],
    attributes: { alpha: float(-1) },
  },
  { operator: 'Elu', rule: elu.gradient, kinks: [0] },
  { operator: 'Elu', rule: elu.gradient, kinks: [0], attributes: { alpha: float(0.25) } },
  { operator: 'Elu', rule: elu.gradient, kinks: [0], attributes: { alpha: float(-1) } },
  { operator: 'Selu', rule: selu.gradient, kinks: [0] },
  { operator: 'Selu', rule: selu.gradient, kinks: [0], attributes: { alpha: float(0.5), gamma: float(2) } },
  { operator: 'Celu', rule: celu.gradient, kinks: [0] },
  { operator: 'Celu', rule: celu.gradient, kinks: [0], attributes: { alpha: float(0.5) } },
  { operator: 'Sigmoid', rule: sigmoid.gradient },
  { operator: 'HardSigmoid', rule: hardSigmoid.gradient, kinks: [-2.5, 2.5] },
  {
    operator: 'HardSigmoid',
    rule: hardSigmoid.gradient,
    kinks: [-2, 2],
    attributes: { alpha: float(0.25), beta: float(0.5) },
  },
  { operator: 'HardSwish', rule: hardSwish.gradient, kinks: [-3, 3], opset: 18 },
  { operator: 'Tanh', rule: tanh.gradient },
  { operator: 'Softplus', rule: softplus.gradient },
  { operator: 'Softsign', rule: softsign.gradient, kinks: [0] },
  { operator: 'Mish', rule: mish.gradient, opset: 18 },
  { operator: 'Gelu', rule: gelu.gradient, opset: 20 },
  { operator: 'Gelu', rule: gelu.gradient, opset: 20, attributes: { approximate: 'tanh' } },
  { operator: 'Softmax', rule: softmax.gradient },
  { operator: 'Softmax', rule: softmax.gradient, attributes: { axis: 1 } },
  { operator: 'LogSoftmax', rule: logSoftmax.gradient },
  { operator: 'LogSoftmax', rule: logSoftmax.gradient, attributes: { axis: -2 } },
];

describe('functions of one tensor', () => {
  it.each(rows)(
    '$operator $attributes',
    async ({ operator, rule, attributes = {}, kinks = [], opset = 18, ...row }) => {
      const x = row.positive ? positive(3) : awayFrom(kinks, 3, DIMS);
      await checkGradient(rule, { operator, inputs: [x], attributes, opset, symbolicBatch: true });
    },
  );

  it('is 0 at the corner, or the slope on the left', async () => {
    const x = feed([-0.0, 0, 2, -2]);
    const ones = [1, 1, 1, 1];
    const at = (operator: string, rule: Rule, attributes: PlainAttributes = {}) =>
      gradientAt(rule, { operator, inputs: [x], attributes }, ones);
    expect(await at('Relu', relu.gradient)).toEqual([0, 0, 1, 0]);
    expect(await at('Abs', abs.gradient)).toEqual([0, 0, 1, -1]);
    expect(await at('LeakyRelu', leakyRelu.gradient, { alpha: float(0.25) })).toEqual([0.25, 0.25, 1, 0.25]);
    expect(await at('ThresholdedRelu', thresholdedRelu.gradient, { alpha: float(2) })).toEqual([0, 0, 0, 0]);
    expect((await at('Elu', elu.gradient, { alpha: float(0.5) })).slice(0, 3)).toEqual([0.5, 0.5, 1]);
  });

  it('has the corners of HardSwish and HardSigmoid at 0 and 1', async () => {
    const swish = { operator: 'HardSwish', inputs: [feed([-3, -4, 3, 4, 0])] };
    expect(await gradientAt(hardSwish.gradient, swish, [1, 1, 1, 1, 1])).toEqual([0, 0, 1, 1, 0.5]);
    const gate = {
      operator: 'HardSigmoid',
      inputs: [feed([-2, 2, 1])],
      attributes: { alpha: float(0.25), beta: float(0.5) },
    };
    expect(await gradientAt(hardSigmoid.gradient, gate, [1, 1, 1])).toEqual([0, 0, 0.25]);
  });

  it.each([
    ['Sign', sign.gradient],
    ['Floor', floor.gradient],
    ['Ceil', ceil.gradient],
    ['Round', round.gradient],
  ])('%s passes nothing on', (operator, rule) => {
    const { graph } = buildCase({ operator, inputs: [feed([0.3, 1.6])] });
    expect(() => differentiateNode(graph, rule, { wrt: ['in0'] })).toThrow(/gave no signal/);
  });
});

describe('prelu', () => {
  it.each([
    ['one slope', [1]],
    ['one per channel', [3, 1, 1]],
    ['one per element', [3, 2, 4]],
  ])('%s: input and slope', async (_, dims) => {
    const inputs = [awayFrom([0], 5, [2, 3, 2, 4]), awayFrom([], 6, dims)];
    await checkGradient(prelu.gradient, { operator: 'PRelu', inputs }, { wrt: [0, 1] });
  });

  it('keeps a symbolic batch with a constant slope, which may be negative', async () => {
    const inputs = [awayFrom([0], 5, [2, 3, 2, 4]), floats([0.25, -0.5, 0], [3, 1, 1])];
    const backward = await checkGradient(prelu.gradient, { operator: 'PRelu', inputs, symbolicBatch: true });
    expect(emitted(backward)).toEqual(['Greater', 'Mul', 'Where']);
  });
});

describe('clip', () => {
  it.each([
    ['both bounds', [scalar(-1), scalar(1.5)]],
    ['a lower bound', [scalar(-1)]],
    ['an upper bound', ['', scalar(1.5)]],
    ['no bound', []],
    ['ReLU6', [scalar(0), scalar(6)]],
    ['ReLU without an upper bound', [scalar(0)]],
    ['bounds that leave one value', [scalar(2), scalar(1.5)]],
  ] as const)('%s', async (_, bounds) => {
    const inputs = [awayFrom([-1, 0, 1.5, 2, 6], 7, DIMS, { scale: 4 }), ...bounds];
    await checkGradient(clip.gradient, { operator: 'Clip', inputs, symbolicBatch: true });
  });

  const x = feed([-1, 0, 1e-7, 3, 5.9999995, 6, 7]);
  const relu6 = { operator: 'Clip', inputs: [x, scalar(0), scalar(6)] };
  const signal = [1, 1, 1, -1, 1, 1, 1];

  it('is 0 at both bounds, and whole right beside them', async () => {
    expect(await gradientAt(clip.gradient, relu6, signal)).toEqual([0, 0, 1, -1, 1, 0, 0]);
    const low = { operator: 'Clip', inputs: [feed([-1, 0.5, 2, 3]), scalar(-1), scalar(2)] };
    expect(await gradientAt(clip.gradient, low, [1, 1, 1, 1])).toEqual([0, 1, 0, 0]);
  });

  it('is rectified as a ReLU where it is one', async () => {
    expect(await gradientAt(clip.guided, relu6, signal)).toEqual([0, 0, 1, 0, 1, 0, 0]);
    expect(await gradientAt(clip.deconvnet, relu6, signal)).toEqual([1, 1, 1, 0, 1, 1, 1]);
  });

  it('keeps its derivative where it is none', async () => {
    const other = { operator: 'Clip', inputs: [feed([-2, 0.5, 1]), scalar(-1), scalar(2)] };
    expect(await gradientAt(clip.guided, other, [1, -1, 1])).toEqual([0, -1, 1]);
    expect(await gradientAt(clip.deconvnet, other, [1, -1, 1])).toEqual([0, -1, 1]);
  });

  it('tells a rectifier from other clips', () => {
    const isRelu = (inputs: Parameters<typeof buildCase>[0]['inputs'], operator = 'Clip') => {
      const { graph } = buildCase({ operator, inputs });
      return isReluLike(graph.nodes[0]!, (value) => graph.initializers.get(value));
    };
    expect(isRelu([x, scalar(0), scalar(6)])).toBe(true);
    expect(isRelu([x, scalar(-0), scalar(1)])).toBe(true);
    expect(isRelu([x, scalar(0)])).toBe(true);
    expect(isRelu([x, scalar(-1), scalar(6)])).toBe(false);
    expect(isRelu([x, '', scalar(6)])).toBe(false);
    expect(isRelu([x, feed([0], []), scalar(6)])).toBe(false);
    expect(isRelu([x, scalar(0), scalar(0)])).toBe(false);
    expect(isRelu([x], 'Relu')).toBe(false);
  });

  it('refuses bounds that are differentiated', () => {
    const { graph } = buildCase({ operator: 'Clip', inputs: [x, feed([0], [])] });
    expect(() => differentiateNode(graph, clip.gradient, { wrt: ['in0', 'in1'] })).toThrow(/Clip.*bounds/);
  });
});

describe('relu', () => {
  const x = feed([-1, -0.0, 0, 1, 2, 3]);
  const signal = [1, 1, -1, 2, -2, 0];
  const at = (rule: Rule) => gradientAt(rule, { operator: 'Relu', inputs: [x] }, signal);

  it('gradient: R [z > 0]', async () => expect(await at(relu.gradient)).toEqual([0, 0, 0, 2, -2, 0]));
  it('guided: R [z > 0] [R > 0]', async () => expect(await at(relu.guided)).toEqual([0, 0, 0, 2, 0, 0]));
  it('deconvnet: max(R, 0)', async () => expect(await at(relu.deconvnet)).toEqual([1, 1, 0, 2, 0, 0]));

  it('reads the output, not the input', () => {
    const { graph } = buildCase({ operator: 'Relu', inputs: [x] });
    for (const rule of Object.values(relu)) {
      const [node, grad] = differentiateNode(graph, rule, { wrt: ['in0'] }).nodes;
      expect(grad!.inputs).toEqual([node!.outputs[0], 'signal']);
      expect([grad!.domain, grad!.operator]).toEqual(['unitscope', 'ReluGrad']);
    }
  });
});
