import { Random, stridesOf } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { emptyGraph, evaluate, GraphBuilder, type PlainAttributes } from '../src/index.js';
import { expectAgreement, expectClose, numbers, randomly } from './reference-ort.js';

type Case = readonly [
  name: string,
  x: readonly number[],
  w: readonly number[],
  bias: number | undefined,
  attributes: PlainAttributes,
];

const CONVOLUTIONS: readonly Case[] = [
  ['1-D', [2, 3, 11], [4, 3, 3], 4, { pads: [1, 1] }],
  [
    '1-D, strided and dilated',
    [1, 2, 17],
    [3, 2, 4],
    undefined,
    { strides: [2], dilations: [2], pads: [0, 3] },
  ],
  ['2-D', [2, 3, 7, 6], [4, 3, 3, 3], 4, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }],
  ['asymmetric pads', [1, 2, 6, 7], [3, 2, 3, 2], 3, { pads: [0, 1, 2, 0], strides: [2, 1] }],
  ['groups', [2, 6, 5, 5], [4, 3, 3, 3], 4, { group: 2, pads: [1, 1, 1, 1] }],
  ['depthwise with a multiplier', [1, 3, 6, 6], [6, 1, 3, 3], undefined, { group: 3, dilations: [2, 1] }],
  ['SAME_UPPER', [1, 2, 7, 8], [3, 2, 3, 4], 3, { auto_pad: 'SAME_UPPER', strides: [2, 3] }],
  ['SAME_LOWER', [1, 2, 7, 8], [3, 2, 3, 4], 3, { auto_pad: 'SAME_LOWER', strides: [2, 3] }],
  ['SAME_UPPER, even kernel', [1, 1, 5, 5], [1, 1, 2, 2], undefined, { auto_pad: 'SAME_UPPER' }],
  ['SAME_LOWER, even kernel', [1, 1, 5, 5], [1, 1, 2, 2], undefined, { auto_pad: 'SAME_LOWER' }],
  ['VALID', [1, 2, 7, 8], [3, 2, 3, 4], 3, { auto_pad: 'VALID', strides: [2, 3] }],
  ['3-D', [1, 2, 4, 5, 6], [3, 2, 2, 3, 2], 3, { pads: [1, 0, 1, 0, 1, 0], strides: [1, 2, 1] }],
];

describe('Conv as ONNX Runtime', () => {
  it.each(CONVOLUTIONS)('%s', async (_, x, w, bias, attributes) => {
    const inputs = [randomly(x), randomly(w, 2), bias === undefined ? undefined : randomly([bias], 3)];
    await expectAgreement({ operator: 'Conv', opset: 11, inputs, attributes });
  });
});

const TRANSPOSED: readonly Case[] = [
  ['1-D', [1, 2, 5], [2, 3, 3], 3, { strides: [2] }],
  ['2-D', [2, 3, 4, 5], [3, 2, 3, 3], 2, {}],
  ['strided, padded', [1, 3, 4, 5], [3, 2, 3, 4], 2, { strides: [2, 3], pads: [1, 0, 0, 2] }],
  [
    'output_padding',
    [1, 2, 4, 4],
    [2, 3, 3, 3],
    undefined,
    { strides: [2, 2], output_padding: [1, 1], pads: [1, 1, 1, 1] },
  ],
  ['groups', [1, 4, 3, 3], [4, 2, 2, 2], 4, { group: 2, strides: [2, 2] }],
  ['dilated', [1, 2, 4, 5], [2, 2, 3, 2], 2, { dilations: [2, 3] }],
  ['output_shape', [1, 2, 4, 4], [2, 2, 3, 3], undefined, { strides: [2, 2], output_shape: [8, 8] }],
  [
    'output_shape, larger',
    [1, 2, 3, 3],
    [2, 2, 3, 3],
    undefined,
    { strides: [3, 2], output_shape: [10, 8], output_padding: [1, 1] },
  ],
  [
    'output_shape, SAME_UPPER',
    [1, 2, 4, 4],
    [2, 2, 4, 3],
    undefined,
    { strides: [2, 2], output_shape: [9, 8], auto_pad: 'SAME_UPPER' },
  ],
  [
    'output_shape, SAME_LOWER',
    [1, 2, 4, 4],
    [2, 2, 4, 3],
    undefined,
    { strides: [2, 2], output_shape: [9, 8], auto_pad: 'SAME_LOWER' },
  ],
  ['SAME_UPPER', [1, 2, 4, 5], [2, 2, 3, 4], undefined, { strides: [2, 2], auto_pad: 'SAME_UPPER' }],
  ['SAME_LOWER', [1, 2, 4, 5], [2, 2, 3, 4], undefined, { strides: [2, 2], auto_pad: 'SAME_LOWER' }],
  ['VALID', [1, 2, 4, 5], [2, 2, 3, 4], undefined, { strides: [2, 2], auto_pad: 'VALID' }],
  ['3-D', [1, 2, 3, 3, 2], [2, 1, 2, 2, 3], 1, { strides: [1, 2, 1], pads: [0, 1, 0, 1, 0, 1] }],
];

describe('ConvTranspose as ONNX Runtime', () => {
  it.each(TRANSPOSED)('%s', async (_, x, w, bias, attributes) => {
    const inputs = [randomly(x), randomly(w, 2), bias === undefined ? undefined : randomly([bias], 3)];
    await expectAgreement({ operator: 'ConvTranspose', opset: 11, inputs, attributes });
  });
});

describe('Conv and ConvTranspose by themselves', () => {
  it('a transposed convolution is the adjoint: <conv(x, w), y> = <x, convTranspose(y, w)>', () => {
    const random = new Random(5);
    for (let trial = 0; trial < 40; trial++) {
      const group = random.integer(1, 2);
      const strides = [random.integer(1, 3), random.integer(1, 3)];
      const dilations = [random.integer(1, 2), random.integer(1, 2)];
      const pads = [0, 1, 2, 3].map(() => random.integer(0, 2));
      const kernel = [random.integer(1, 3), random.integer(1, 3)];
      const x = randomly([2, 2 * group, random.integer(7, 9), random.integer(7, 9)], trial);
      const w = randomly([3 * group, 2, ...kernel], trial + 100);
      const attributes = { group, strides, dilations, pads };
      const y = run('Conv', [x, w], attributes);
      const probe = randomly(y.dims, trial + 200);
      // What the strides cut off at the end of x must be put back.
      const output_padding = kernel.map((taps, axis) => {
        const reach = x.dims[axis + 2]! + pads[axis]! + pads[axis + 2]! - (taps - 1) * dilations[axis]! - 1;
        return reach % strides[axis]!;
      });
      const back = run('ConvTranspose', [probe, w], { ...attributes, output_padding });
      expect(back.dims).toEqual(x.dims);
      const forward = dot(y.data, probe.data);
      expect(Math.abs(forward - dot(back.data, x.data))).toBeLessThan(1e-10 * (1 + Math.abs(forward)));
    }
  });

  it('a kernel of one 1 at its corner shifts the picture', () => {
    const x = randomly([1, 1, 4, 5]);
    const w = numbers([1, 1, 2, 2], [0, 0, 0, 1]);
    const [height, width] = stridesOf([4, 5]);
    const wanted = Float64Array.from({ length: 12 }, (_, i) => {
      return x.data[(Math.floor(i / 4) + 1) * height! + ((i % 4) + 1) * width!]!;
    });
    expectClose(run('Conv', [x, w], {}), { dims: [1, 1, 3, 4], data: wanted }, 0);
  });
});

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function run(operator: string, inputs: readonly ReturnType<typeof randomly>[], attributes: PlainAttributes) {
  const builder = new GraphBuilder(emptyGraph('case', 18));
  const names = inputs.map((_, i) => builder.input({ name: `in${i}`, type: 'float32', dims: undefined }));
  const output = builder.node(operator, names, attributes);
  const feeds = Object.fromEntries(inputs.map((input, i) => [`in${i}`, input]));
  return evaluate(builder.build(), feeds, { outputs: [output] }).get(output)!;
}
