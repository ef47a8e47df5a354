import { describe, it } from 'vitest';
import type { PlainAttributes } from '../src/index.js';
import { expectAgreement, integers, numbers, randomIntegers, randomly, vector } from './reference-ort.js';

const REDUCTIONS = [
  'ReduceSum',
  'ReduceMean',
  'ReduceMax',
  'ReduceMin',
  'ReduceProd',
  'ReduceL1',
  'ReduceL2',
  'ReduceSumSquare',
  'ReduceLogSumExp',
];

describe('reductions as ONNX Runtime', () => {
  const x = randomly([2, 3, 4, 2]);
  const axesList: readonly (readonly number[] | undefined)[] = [
    undefined,
    [0],
    [1],
    [-1],
    [2, 3],
    [0, -2],
    [3, 0, 1],
  ];

  it.each(REDUCTIONS)('%s, axes as an attribute', async (operator) => {
    for (const axes of axesList) {
      for (const keepdims of [0, 1, undefined]) {
        await expectAgreement({ operator, opset: 11, inputs: [x], attributes: { axes, keepdims } });
      }
    }
  });

  it.each(REDUCTIONS)('%s, axes as an input', async (operator) => {
    for (const axes of axesList) {
      for (const keepdims of [0, 1]) {
        const inputs = axes === undefined ? [x] : [x, vector(...axes)];
        await expectAgreement({ operator, opset: 18, inputs, attributes: { keepdims } });
      }
    }
  });

  it('no axes: all, or none on request', async () => {
    for (const noop_with_empty_axes of [0, 1]) {
      const attributes = { noop_with_empty_axes };
      await expectAgreement({ operator: 'ReduceSum', opset: 13, inputs: [x], attributes });
      await expectAgreement({ operator: 'ReduceMean', opset: 18, inputs: [x, vector()], attributes });
    }
  });

  it('ReduceLogSum', async () => {
    const inputs = [{ dims: x.dims, data: x.data.map(Math.abs) }];
    await expectAgreement({ operator: 'ReduceLogSum', opset: 13, inputs, attributes: { axes: [1] } });
  });

  it('ReduceLogSumExp of large numbers', async () => {
    const inputs = [numbers([2, 2], [1000, 1001, -1000, -1001])];
    await expectAgreement({ operator: 'ReduceLogSumExp', opset: 13, inputs, attributes: { axes: [1] } });
  });

  it('integers stay integers', async () => {
    const inputs = [integers([2, 3], [7, -2, 3, -7, 2, -3])];
    for (const operator of ['ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceProd']) {
      await expectAgreement({ operator, opset: 13, inputs });
    }
  });
});

describe('ArgMax and ArgMin as ONNX Runtime', () => {
  const x = randomIntegers([3, 4, 5], 0, 2);
  it.each(['ArgMax', 'ArgMin'])('%s, with ties', async (operator) => {
    for (const axis of [undefined, 0, 1, 2, -1]) {
      for (const select_last_index of [undefined, 0, 1]) {
        for (const keepdims of [undefined, 0, 1]) {
          const attributes = { axis, select_last_index, keepdims };
          await expectAgreement({ operator, opset: 13, inputs: [x], attributes });
        }
      }
    }
  });
});

describe('CumSum as ONNX Runtime', () => {
  it('from either end, with or without the element', async () => {
    for (const axis of [0, 1, -1]) {
      for (const exclusive of [0, 1]) {
        for (const reverse of [0, 1]) {
          await expectAgreement({
            operator: 'CumSum',
            opset: 14,
            inputs: [randomly([2, 3, 4]), integers([], [axis])],
            attributes: { exclusive, reverse },
          });
        }
      }
    }
  });
});

describe('TopK as ONNX Runtime', () => {
  it('largest and smallest, with ties', async () => {
    const cases: readonly PlainAttributes[] = [{}, { largest: 0 }, { axis: 0 }, { axis: 1, largest: 0 }];
    for (const attributes of cases) {
      const inputs = [randomIntegers([3, 4, 5], 0, 3), vector(3)];
      await expectAgreement({ operator: 'TopK', opset: 11, inputs, attributes, outputs: 2 });
    }
  });
});
