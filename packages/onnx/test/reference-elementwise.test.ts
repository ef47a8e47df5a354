import { describe, expect, it } from 'vitest';
import type { PlainAttributes } from '../src/index.js';
import { erf } from '../src/reference/erf.js';
import {
  booleans,
  expectAgreement,
  integers,
  numbers,
  positive,
  randomIntegers,
  randomly,
  vector,
} from './reference-ort.js';

const scalar = (value: number) => numbers([], [value]);

const UNARY: readonly (readonly [operator: string, opset: number, attributes: PlainAttributes])[] = [
  ['Neg', 13, {}],
  ['Abs', 13, {}],
  ['Exp', 13, {}],
  ['Sin', 7, {}],
  ['Cos', 7, {}],
  ['Tanh', 13, {}],
  ['Sign', 13, {}],
  ['Floor', 13, {}],
  ['Ceil', 13, {}],
  ['Reciprocal', 13, {}],
  ['Identity', 16, {}],
  ['Relu', 14, {}],
  ['LeakyRelu', 16, {}],
  ['LeakyRelu', 16, { alpha: { float: 0.3 } }],
  ['ThresholdedRelu', 10, {}],
  ['ThresholdedRelu', 10, { alpha: { float: -0.5 } }],
  ['Elu', 6, {}],
  ['Elu', 6, { alpha: { float: 1.7 } }],
  ['Selu', 6, {}],
  ['Selu', 6, { alpha: { float: 1.2 }, gamma: { float: 0.8 } }],
  ['Celu', 12, {}],
  ['Celu', 12, { alpha: { float: 0.6 } }],
  ['Sigmoid', 13, {}],
  ['HardSigmoid', 6, {}],
  ['HardSigmoid', 6, { alpha: { float: 0.4 }, beta: { float: 0.3 } }],
  ['HardSwish', 14, {}],
  ['Softplus', 1, {}],
  ['Softsign', 1, {}],
  ['Mish', 18, {}],
  ['Erf', 13, {}],
  ['Gelu', 20, {}],
  ['Gelu', 20, { approximate: 'tanh' }],
  ['Dropout', 7, {}],
  ['Dropout', 13, {}],
];

describe('operators of one input as ONNX Runtime', () => {
  it.each(UNARY)('%s, version %i, %o', async (operator, opset, attributes) => {
    await expectAgreement({ operator, opset, inputs: [randomly([3, 4, 5], 7, 2)], attributes });
  });

  it.each(['Sqrt', 'Log'])('%s', async (operator) => {
    await expectAgreement({ operator, opset: 13, inputs: [positive([3, 4])] });
  });

  it('Round takes halves to the even neighbour', async () => {
    const values = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 1.4, 1.6, -1.4, -1.6];
    await expectAgreement({ operator: 'Round', opset: 11, inputs: [numbers([10], values)] });
  });

  it('IsNaN', async () => {
    const x = numbers([3], [1, Number.NaN, Number.POSITIVE_INFINITY]);
    await expectAgreement({ operator: 'IsNaN', opset: 13, inputs: [x] });
  });

  it('Not', async () => {
    await expectAgreement({ operator: 'Not', opset: 1, inputs: [booleans([3], [0, 1, 1])] });
  });

  it('far from zero nothing overflows', async () => {
    const x = numbers([6], [-1000, -90, -20, 20, 90, 1000]);
    for (const operator of ['Sigmoid', 'Softplus', 'Tanh', 'Erf', 'Elu', 'Softsign']) {
      await expectAgreement({ operator, opset: 13, inputs: [x] });
    }
  });

  it('NaN is not clipped away', async () => {
    const x = numbers([3], [Number.NaN, -1, 2]);
    for (const operator of ['Relu', 'LeakyRelu', 'Elu', 'Sigmoid', 'Softplus']) {
      await expectAgreement({ operator, opset: 13, inputs: [x] });
    }
    await expectAgreement({ operator: 'Clip', opset: 13, inputs: [x, scalar(0), scalar(1)] });
  });
});

describe('Clip as ONNX Runtime', () => {
  const x = randomly([3, 5], 3, 4);

  it('bounds as attributes', async () => {
    const attributes = { min: { float: -1 }, max: { float: 6 } };
    await expectAgreement({ operator: 'Clip', opset: 9, inputs: [x], attributes });
    await expectAgreement({ operator: 'Clip', opset: 9, inputs: [x], attributes: { max: { float: 1 } } });
  });

  it('bounds as inputs, either left out', async () => {
    await expectAgreement({ operator: 'Clip', opset: 11, inputs: [x, scalar(-1), scalar(2)] });
    await expectAgreement({ operator: 'Clip', opset: 13, inputs: [x, undefined, scalar(2)] });
    await expectAgreement({ operator: 'Clip', opset: 13, inputs: [x, scalar(0)] });
    await expectAgreement({ operator: 'Clip', opset: 13, inputs: [x] });
  });

  it('a lower bound above the upper one gives the upper one', async () => {
    await expectAgreement({ operator: 'Clip', opset: 13, inputs: [x, scalar(3), scalar(1)] });
  });
});

const BROADCASTS: readonly (readonly [a: readonly number[], b: readonly number[]])[] = [
  [
    [2, 3, 4],
    [2, 3, 4],
  ],
  [[2, 3, 4], []],
  [[], [3, 4]],
  [[2, 3, 4], [4]],
  [
    [3, 1],
    [1, 4],
  ],
  [
    [2, 1, 4, 1],
    [3, 1, 5],
  ],
  [
    [1, 1],
    [2, 3],
  ],
];

describe('operators of two inputs as ONNX Runtime', () => {
  it.each(['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sum', 'Mean'])('%s broadcasts', async (operator) => {
    for (const [a, b] of BROADCASTS) {
      await expectAgreement({ operator, opset: 13, inputs: [randomly(a), randomly(b, 2)] });
    }
  });

  it('Pow', async () => {
    await expectAgreement({ operator: 'Pow', opset: 13, inputs: [positive([2, 3, 4]), randomly([4], 2)] });
    await expectAgreement({ operator: 'Pow', opset: 13, inputs: [randomly([2, 3]), scalar(3)] });
    await expectAgreement({ operator: 'Pow', opset: 13, inputs: [randomly([2, 3]), vector(2)] });
    await expectAgreement({ operator: 'Pow', opset: 13, inputs: [vector(2, 3, -3), vector(3, 0, 3)] });
  });

  it.each(['Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual'])('%s', async (operator) => {
    const inputs = [randomIntegers([2, 3, 4], -1, 1), randomIntegers([4], -1, 1, 2)];
    await expectAgreement({ operator, opset: 16, inputs });
  });

  it.each(['And', 'Or', 'Xor'])('%s', async (operator) => {
    const inputs = [booleans([2, 2], [0, 0, 1, 1]), booleans([2, 2], [0, 1, 0, 1])];
    await expectAgreement({ operator, opset: 7, inputs });
  });

  it('integer division truncates towards zero', async () => {
    const a = vector(7, -7, 7, -7, 6);
    await expectAgreement({ operator: 'Div', opset: 14, inputs: [a, vector(2, 2, -2, -2, 3)] });
  });

  it('Mod with the sign of the divisor, and as fmod', async () => {
    const [a, b] = [vector(7, -7, 7, -7, 6), vector(3, 3, -3, -3, 3)];
    await expectAgreement({ operator: 'Mod', opset: 13, inputs: [a, b] });
    await expectAgreement({ operator: 'Mod', opset: 13, inputs: [a, b], attributes: { fmod: 1 } });
    const floats = [randomly([8], 1, 5), randomly([8], 2, 2)];
    await expectAgreement({ operator: 'Mod', opset: 13, inputs: floats, attributes: { fmod: 1 } });
  });

  it('Max and Min of one and of three, NaN in any', async () => {
    const third = numbers([4], [1, Number.NaN, 0, -1]);
    for (const operator of ['Max', 'Min', 'Sum', 'Mean']) {
      await expectAgreement({ operator, opset: 13, inputs: [randomly([3, 4])] });
      await expectAgreement({ operator, opset: 13, inputs: [randomly([3, 4]), randomly([3, 1], 2), third] });
    }
  });

  it('PRelu, one slope, one per channel, one per element', async () => {
    for (const slope of [[1], [3, 1, 1], [2, 3, 4, 5]]) {
      const inputs = [randomly([2, 3, 4, 5]), randomly(slope, 2)];
      await expectAgreement({ operator: 'PRelu', opset: 16, inputs });
    }
  });

  it('Where', async () => {
    const condition = booleans([3, 1], [1, 0, 1]);
    await expectAgreement({
      operator: 'Where',
      opset: 16,
      inputs: [condition, randomly([4]), randomly([2, 3, 1], 2)],
    });
    await expectAgreement({ operator: 'Where', opset: 16, inputs: [condition, vector(1, 2), vector(5, 6)] });
  });
});

describe('Cast as ONNX Runtime', () => {
  const [FLOAT, UINT8, INT32, INT64, BOOL, DOUBLE] = [1, 2, 6, 7, 9, 11];

  it('floats to integers, truncated', async () => {
    const x = numbers([6], [-1.7, -0.5, 0.5, 1.5, 2.999, 100]);
    for (const to of [INT32, INT64, BOOL, DOUBLE]) {
      await expectAgreement({ operator: 'Cast', opset: 13, inputs: [x], attributes: { to } });
    }
  });

  it('integers to floats, booleans and narrower integers', async () => {
    const x = integers([5], [-1, 0, 1, 255, 258]);
    for (const to of [FLOAT, UINT8, INT32, BOOL, DOUBLE]) {
      await expectAgreement({ operator: 'Cast', opset: 13, inputs: [x], attributes: { to } });
    }
  });
});

describe('softmax as ONNX Runtime', () => {
  const x = randomly([2, 3, 4], 5, 3);
  const axes: readonly (readonly [opset: number, axis: number | undefined])[] = [
    [11, undefined],
    [11, 0],
    [11, 1],
    [11, 2],
    [11, -1],
    [13, undefined],
    [13, 0],
    [13, 1],
    [13, 2],
    [13, -2],
  ];
  it.each(axes)('version %i, axis %s', async (opset, axis) => {
    for (const operator of ['Softmax', 'LogSoftmax']) {
      await expectAgreement({ operator, opset, inputs: [x], attributes: { axis } });
    }
  });

  it('large logits', async () => {
    const inputs = [numbers([1, 3], [1000, 999, -1000])];
    await expectAgreement({ operator: 'Softmax', opset: 13, inputs });
    await expectAgreement({ operator: 'LogSoftmax', opset: 13, inputs });
  });
});

describe('erf', () => {
  // To 17 digits, computed with 50 by the Maclaurin series.
  const KNOWN: readonly (readonly [number, number])[] = [
    [1e-10, 1.1283791670955126e-10],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [0.84375, 0.7672256612323416],
    [1, 0.8427007929497149],
    [1.5, 0.9661051464753108],
    [2, 0.9953222650189527],
    [2.5, 0.999593047982555],
    [2.99, 0.9999764743969194],
    [3, 0.9999779095030014],
    [3.01, 0.9999792610363629],
    [3.5, 0.9999992569016276],
    [4, 0.9999999845827421],
    [5, 0.9999999999984626],
  ];

  it.each(KNOWN)('erf(%d) = %d', (x, value) => {
    expect(Math.abs(erf(x) / value - 1)).toBeLessThan(1e-15);
    expect(erf(-x)).toBe(-erf(x));
  });

  it('0, infinity and NaN', () => {
    expect(erf(0)).toBe(0);
    expect(erf(Number.POSITIVE_INFINITY)).toBe(1);
    expect(erf(Number.NEGATIVE_INFINITY)).toBe(-1);
    expect(erf(Number.NaN)).toBeNaN();
  });

  it('is smooth where the series meets the continued fraction and where it becomes 1', () => {
    for (const x of [3, 6]) {
      const step = 1e-5;
      const slope = (erf(x + step) - erf(x - step)) / (2 * step);
      expect(Math.abs(slope - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x))).toBeLessThan(2e-11);
    }
  });
});
