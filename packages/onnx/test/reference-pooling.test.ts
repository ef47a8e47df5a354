import { describe, it } from 'vitest';
import type { PlainAttributes } from '../src/index.js';
import { expectAgreement, integers, numbers, randomIntegers, randomly, vector } from './reference-ort.js';

type Case = readonly [name: string, x: readonly number[], attributes: PlainAttributes];

const WINDOWS: readonly Case[] = [
  ['plain', [2, 3, 6, 8], { kernel_shape: [2, 2], strides: [2, 2] }],
  ['1-D', [1, 3, 9], { kernel_shape: [3], strides: [2], pads: [1, 1] }],
  ['overlapping, padded', [1, 2, 7, 7], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  ['asymmetric', [1, 2, 7, 6], { kernel_shape: [3, 2], strides: [2, 1], pads: [0, 1, 2, 0] }],
  ['ceil_mode', [1, 2, 8, 7], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }],
  [
    'ceil_mode, padded',
    [1, 2, 7, 8],
    { kernel_shape: [3, 3], strides: [3, 2], pads: [1, 1, 1, 1], ceil_mode: 1 },
  ],
  [
    'ceil_mode, a window only in the padding',
    [1, 1, 4, 6],
    { kernel_shape: [2, 2], strides: [3, 3], pads: [1, 0, 1, 1], ceil_mode: 1 },
  ],
  ['SAME_UPPER', [1, 2, 7, 8], { kernel_shape: [3, 4], strides: [2, 3], auto_pad: 'SAME_UPPER' }],
  ['SAME_LOWER', [1, 2, 7, 8], { kernel_shape: [3, 4], strides: [2, 3], auto_pad: 'SAME_LOWER' }],
  ['VALID', [1, 2, 7, 8], { kernel_shape: [3, 4], strides: [2, 3], auto_pad: 'VALID' }],
  ['3-D', [1, 2, 4, 5, 6], { kernel_shape: [2, 3, 2], strides: [1, 2, 2], pads: [1, 1, 0, 0, 1, 1] }],
];
const DILATED: readonly Case[] = [
  ['dilated', [1, 2, 8, 9], { kernel_shape: [3, 2], dilations: [2, 3], pads: [1, 0, 1, 0] }],
  [
    'dilated, ceil_mode',
    [1, 2, 8, 9],
    { kernel_shape: [3, 2], dilations: [2, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 },
  ],
];

describe('MaxPool as ONNX Runtime', () => {
  it.each([...WINDOWS, ...DILATED])('%s, with Indices, with ties', async (_, dims, attributes) => {
    const inputs = [randomIntegers(dims, -2, 2)];
    await expectAgreement({ operator: 'MaxPool', opset: 12, inputs, attributes, outputs: 2 });
  });

  it.each([...WINDOWS, ...DILATED])('%s', async (_, dims, attributes) => {
    await expectAgreement({ operator: 'MaxPool', opset: 12, inputs: [randomly(dims)], attributes });
  });

  it('NaN stays where it is the first of its window, and is passed over where it is not', async () => {
    const values = [1, Number.NaN, 2, Number.NaN, 3, 2, 5, 4, Number.NaN];
    await expectAgreement({
      operator: 'MaxPool',
      opset: 12,
      inputs: [numbers([1, 1, 9], values)],
      attributes: { kernel_shape: [3], strides: [3] },
      outputs: 2,
    });
  });

  it('negative infinity is a value like others', async () => {
    await expectAgreement({
      operator: 'MaxPool',
      opset: 12,
      inputs: [
        numbers([1, 1, 4], [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, Number.NEGATIVE_INFINITY]),
      ],
      attributes: { kernel_shape: [2], strides: [2] },
      outputs: 2,
    });
  });
});

describe('AveragePool as ONNX Runtime', () => {
  for (const count_include_pad of [0, 1]) {
    it.each(WINDOWS)(`%s, count_include_pad ${count_include_pad}`, async (_, dims, attributes) => {
      await expectAgreement({
        operator: 'AveragePool',
        opset: 11,
        inputs: [randomly(dims)],
        attributes: { ...attributes, count_include_pad },
      });
    });

    it.each([...WINDOWS, ...DILATED])(
      `%s, count_include_pad ${count_include_pad}, version 19`,
      async (_, dims, attributes) => {
        await expectAgreement({
          operator: 'AveragePool',
          opset: 19,
          inputs: [randomly(dims)],
          attributes: { ...attributes, count_include_pad },
        });
      },
    );
  }
});

describe('global pooling as ONNX Runtime', () => {
  it.each(['GlobalAveragePool', 'GlobalMaxPool'])('%s', async (operator) => {
    for (const dims of [
      [2, 3, 5],
      [2, 3, 4, 5],
      [1, 2, 2, 3, 4],
    ]) {
      await expectAgreement({ operator, opset: 11, inputs: [randomly(dims)] });
    }
  });
});

describe('MaxUnpool as ONNX Runtime', () => {
  const x = numbers([1, 2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);

  it('the later value stays where indices collide', async () => {
    await expectAgreement({
      operator: 'MaxUnpool',
      opset: 11,
      inputs: [x, integers([1, 2, 2, 2], [5, 7, 5, 15, 16, 16, 29, 31])],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    });
  });

  it('pads', async () => {
    await expectAgreement({
      operator: 'MaxUnpool',
      opset: 11,
      inputs: [x, integers([1, 2, 2, 2], [0, 2, 3, 8, 9, 11, 15, 17])],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    });
  });

  it('output_shape', async () => {
    await expectAgreement({
      operator: 'MaxUnpool',
      opset: 11,
      inputs: [x, integers([1, 2, 2, 2], [0, 2, 10, 24, 25, 33, 40, 49]), vector(1, 2, 5, 5)],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    });
  });
});
