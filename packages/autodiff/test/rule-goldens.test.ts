import { evaluate, type PlainAttributes } from '@unitscope/onnx';
import type { Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { reluGrad } from '../src/operators/relu-grad.js';
import type { Rule } from '../src/rule.js';
import { clip } from '../src/rules/clip.js';
import { leakyRelu } from '../src/rules/leaky-relu.js';
import { relu } from '../src/rules/relu.js';
import { resize } from '../src/rules/resize.js';
import { sigmoid } from '../src/rules/sigmoid.js';
import { softmax } from '../src/rules/softmax.js';
import { buildCase, type GradientCase, ints, scalar } from './support/check-gradient.js';
import { relativeError, runOnRuntime } from './support/check-rule.js';
import { golden, goldenCases, hasGoldens } from './support/goldens.js';
import { referenceOperators } from './support/reference-operators.js';
import { differentiateNode, lowerOperators } from './support/rule-harness.js';

interface Golden {
  readonly rule: Rule;
  readonly inputs?: (name: string) => GradientCase['inputs'];
  readonly attributes?: (parameters: Readonly<Record<string, unknown>>) => PlainAttributes;
}

const OPERATORS: Readonly<Record<string, Golden>> = {
  Relu: { rule: relu.gradient },
  Clip: { rule: clip.gradient, inputs: () => [scalar(0), scalar(6)] },
  // The slope in double precision, as the golden values have it.
  LeakyRelu: { rule: leakyRelu.gradient, attributes: ({ alpha }) => ({ alpha: { float: Number(alpha) } }) },
  Sigmoid: { rule: sigmoid.gradient },
  Softmax: { rule: softmax.gradient, attributes: ({ axis }) => ({ axis: Number(axis) }) },
  Resize: {
    rule: resize.gradient,
    inputs: (name) => ['', '', ints(golden(`${name}.y`).dims)],
    attributes: ({ align_corners }) => ({
      mode: 'linear',
      coordinate_transformation_mode: align_corners === true ? 'align_corners' : 'half_pixel',
    }),
  },
};

function single(name: string): Tensor {
  const { dims, data } = golden(name);
  return { dims, data: Float32Array.from(data) };
}

describe.skipIf(!hasGoldens)('golden cases', () => {
  const cases = Object.keys(OPERATORS).flatMap((operator) => goldenCases(operator));

  it('are all there', () =>
    expect(cases.map(({ name }) => name)).toEqual([
      'relu',
      'clip6',
      'leaky',
      'sigmoid',
      'softmax',
      'resize0',
      'resize1',
    ]));

  it.each(cases.map(({ name, op, ...parameters }) => ({ name, op, parameters })))(
    '$name',
    async ({ name, op, parameters }) => {
      const { rule, inputs, attributes } = OPERATORS[op]!;
      const built = buildCase({
        operator: op,
        inputs: [single(`${name}.x`), ...(inputs?.(name) ?? [])],
        attributes: attributes?.(parameters) ?? {},
      });
      const backward = differentiateNode(built.graph, rule, { wrt: ['in0'] });
      const feeds = { ...built.feeds, signal: single(`${name}.gy`) };
      const gradient = evaluate(backward, feeds, { operators: referenceOperators }).get('grad_in0')!;
      const wanted = golden(`${name}.gx`).data;
      // Constants of a rule are float32 (the slope of a leaky ReLU, the weights of interpolation).
      expect(relativeError(gradient.data, wanted)).toBeLessThan(1e-7);
      const run = await runOnRuntime(lowerOperators(backward, [reluGrad]), feeds);
      expect(relativeError(run.get('grad_in0')!.data, wanted)).toBeLessThan(1e-5);
    },
  );
});
