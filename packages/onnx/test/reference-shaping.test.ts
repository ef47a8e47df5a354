import { describe, it } from 'vitest';
import type { PlainAttributes } from '../src/index.js';
import { booleans, expectAgreement, integers, numbers, randomly, vector } from './reference-ort.js';

describe('shape changes as ONNX Runtime', () => {
  const x = randomly([2, 3, 4]);

  it('Reshape', async () => {
    for (const shape of [[6, 4], [-1], [0, -1], [2, 0, 2, 2], [1, 24, 1], [4, -1, 3]]) {
      await expectAgreement({
        operator: 'Reshape',
        opset: 14,
        inputs: [x, vector(...shape)],
        constants: [1],
      });
    }
    await expectAgreement({
      operator: 'Reshape',
      opset: 14,
      inputs: [numbers([0, 3], []), vector(3, 0)],
      attributes: { allowzero: 1 },
    });
  });

  it('Flatten', async () => {
    for (const axis of [undefined, 0, 1, 2, 3, -1, -2]) {
      await expectAgreement({ operator: 'Flatten', opset: 13, inputs: [x], attributes: { axis } });
    }
  });

  it('Squeeze', async () => {
    const flat = randomly([1, 3, 1, 4]);
    for (const axes of [[0], [2], [0, 2], [-2]]) {
      await expectAgreement({ operator: 'Squeeze', opset: 11, inputs: [flat], attributes: { axes } });
      await expectAgreement({ operator: 'Squeeze', opset: 13, inputs: [flat, vector(...axes)] });
    }
    await expectAgreement({ operator: 'Squeeze', opset: 13, inputs: [flat] });
  });

  it('Unsqueeze', async () => {
    for (const axes of [[0], [3], [0, 4], [-1], [2, 1]]) {
      await expectAgreement({ operator: 'Unsqueeze', opset: 11, inputs: [x], attributes: { axes } });
      await expectAgreement({ operator: 'Unsqueeze', opset: 13, inputs: [x, vector(...axes)] });
    }
  });

  it('Transpose', async () => {
    for (const perm of [undefined, [0, 1, 2], [2, 0, 1], [1, 0, 2], [0, 2, 1]]) {
      await expectAgreement({ operator: 'Transpose', opset: 13, inputs: [x], attributes: { perm } });
    }
  });

  it('Expand', async () => {
    const inputs = [randomly([3, 1]), vector(2, 1, 4)];
    await expectAgreement({ operator: 'Expand', opset: 13, inputs });
    await expectAgreement({ operator: 'Expand', opset: 13, inputs: [x, vector(1)] });
  });

  it('Concat', async () => {
    for (const axis of [0, 1, 2, -1]) {
      const other = randomly(x.dims.with(axis, 5), 2);
      await expectAgreement({ operator: 'Concat', opset: 13, inputs: [x, other, x], attributes: { axis } });
    }
  });

  it('Split', async () => {
    const even = { operator: 'Split', inputs: [randomly([4, 6])], outputs: 2 };
    await expectAgreement({ ...even, opset: 11 });
    await expectAgreement({ ...even, opset: 11, attributes: { axis: 1, split: [2, 4] } });
    await expectAgreement({ ...even, opset: 13, attributes: { axis: -1 } });
    const sizes = [randomly([4, 6]), vector(1, 5)];
    await expectAgreement({ ...even, opset: 13, inputs: sizes, attributes: { axis: 1 } });
    const uneven = [randomly([7, 2])];
    await expectAgreement({ ...even, opset: 18, inputs: uneven, outputs: 3, attributes: { num_outputs: 3 } });
  });

  it('Tile', async () => {
    await expectAgreement({ operator: 'Tile', opset: 13, inputs: [x, vector(2, 1, 3)] });
  });

  it('DepthToSpace and SpaceToDepth', async () => {
    for (const mode of [undefined, 'DCR', 'CRD']) {
      await expectAgreement({
        operator: 'DepthToSpace',
        opset: 13,
        inputs: [randomly([2, 12, 2, 3])],
        attributes: { blocksize: 2, mode },
      });
    }
    await expectAgreement({
      operator: 'SpaceToDepth',
      opset: 13,
      inputs: [randomly([2, 3, 4, 6])],
      attributes: { blocksize: 2 },
    });
  });

  it('Trilu', async () => {
    for (const upper of [0, 1]) {
      for (const shift of [-1, 0, 2]) {
        const inputs = [randomly([2, 4, 5]), integers([], [shift])];
        await expectAgreement({ operator: 'Trilu', opset: 14, inputs, attributes: { upper } });
      }
    }
  });
});

describe('Slice as ONNX Runtime', () => {
  const x = randomly([5, 6, 4]);

  it('bounds as attributes', async () => {
    const attributes = { starts: [1, -3], ends: [4, 1000], axes: [0, 2] };
    await expectAgreement({ operator: 'Slice', opset: 9, inputs: [x], attributes });
    await expectAgreement({
      operator: 'Slice',
      opset: 9,
      inputs: [x],
      attributes: { starts: [2], ends: [-1] },
    });
  });

  const FAR = 2 ** 53 - 1;
  const cases: readonly (readonly (readonly number[])[])[] = [
    [[1], [3]],
    [
      [1, 2],
      [FAR, -1],
    ],
    [[-100], [100], [1]],
    [
      [0, 1],
      [FAR, FAR],
      [-1, 0],
      [2, 3],
    ],
    [[-1], [-FAR], [1], [-1]],
    [
      [4, 3],
      [0, -FAR],
      [0, 2],
      [-2, -3],
    ],
    [[3], [1], [0]],
    [[100], [0], [1], [-4]],
  ];
  it.each(cases)('starts %j, ends %j, axes %j, steps %j', async (...lists) => {
    await expectAgreement({
      operator: 'Slice',
      opset: 13,
      inputs: [x, ...lists.map((list) => vector(...list))],
    });
  });
});

describe('Pad as ONNX Runtime', () => {
  const x = randomly([2, 3, 4]);

  it('amounts as an attribute', async () => {
    const attributes = { pads: [0, 1, 2, 1, 0, 3], value: { float: 1.5 } };
    await expectAgreement({ operator: 'Pad', opset: 10, inputs: [x], attributes });
  });

  it.each(['constant', 'edge', 'reflect', 'wrap'])('%s', async (mode) => {
    const inputs = [x, vector(0, 1, 3, 1, 2, 2)];
    await expectAgreement({ operator: 'Pad', opset: 19, inputs, attributes: { mode } });
  });

  it('a value, negative amounts, named axes', async () => {
    await expectAgreement({
      operator: 'Pad',
      opset: 13,
      inputs: [x, vector(1, -1, 0, 0, 0, -2), numbers([], [7])],
    });
    await expectAgreement({
      operator: 'Pad',
      opset: 18,
      inputs: [x, vector(1, 2, 3, 0), undefined, vector(-1, 0)],
    });
    await expectAgreement({
      operator: 'Pad',
      opset: 18,
      inputs: [x, vector(-1, 1, 1, -1), undefined, vector(1, 2)],
      attributes: { mode: 'edge' },
    });
  });
});

describe('gathering and scattering as ONNX Runtime', () => {
  const x = randomly([3, 4, 5]);

  it('Gather', async () => {
    for (const axis of [undefined, 0, 1, 2, -1]) {
      for (const indices of [vector(1, -1, 0), integers([], [2]), integers([2, 2], [0, 1, 2, -2])]) {
        await expectAgreement({ operator: 'Gather', opset: 13, inputs: [x, indices], attributes: { axis } });
      }
    }
  });

  it('GatherElements', async () => {
    const indices = integers([2, 2, 3], [0, 1, 2, -1, 1, 0, 2, 2, 1, 0, -2, 0]);
    for (const axis of [undefined, 0, 1, -1]) {
      await expectAgreement({
        operator: 'GatherElements',
        opset: 13,
        inputs: [x, indices],
        attributes: { axis },
      });
    }
  });

  it('GatherND', async () => {
    const cases: readonly (readonly [readonly number[], readonly number[], number | undefined])[] = [
      [[2, 1], [0, -1], undefined],
      [[2, 3], [0, 1, 2, -1, -1, -1], undefined],
      [[2, 2, 2], [0, 1, 1, 2, 2, 3, 0, 0], undefined],
      [[3, 1], [3, 0, -1], 1],
      [[3, 2, 1], [3, 0, -1, 1, 1, 2], 1],
      [[3, 4, 1], [3, 0, -1, 1, 1, 2, 0, 0, 4, -5, 2, 1], 2],
    ];
    for (const [dims, indices, batch_dims] of cases) {
      await expectAgreement({
        operator: 'GatherND',
        opset: 13,
        inputs: [x, integers(dims, indices)],
        attributes: { batch_dims },
      });
    }
  });

  it.each(['none', 'add', 'mul', 'max', 'min'])('ScatterElements, %s', async (reduction) => {
    for (const axis of [0, 1, -1]) {
      const indices = integers(
        [2, 3, 2],
        reduction === 'none' ? [0, 1, 2, -1, 1, 0, 2, 2, 0, 0, 1, 1] : [0, 1, 0, 1, 0, 0, 2, 2, 0, -1, 1, 1],
      );
      const inputs = [x, indices, randomly([2, 3, 2], 9)];
      await expectAgreement({
        operator: 'ScatterElements',
        opset: 18,
        inputs,
        attributes: { axis, reduction },
      });
    }
  });

  it('Scatter, as ScatterElements was called in version 9', async () => {
    const inputs = [randomly([3, 3]), integers([1, 2], [2, 0]), randomly([1, 2], 3)];
    await expectAgreement({ operator: 'Scatter', opset: 9, inputs, attributes: { axis: 1 } });
  });

  it.each(['none', 'add', 'mul', 'max', 'min'])('ScatterND, %s', async (reduction) => {
    const indices = integers([3, 2], reduction === 'none' ? [0, 1, 2, 3, 1, -1] : [0, 1, 2, -1, 0, 1]);
    const inputs = [x, indices, randomly([3, 5], 9)];
    await expectAgreement({ operator: 'ScatterND', opset: 18, inputs, attributes: { reduction } });
  });

  it('OneHot', async () => {
    const values = numbers([2], [-1, 3]);
    const indices = integers([2, 3], [0, 3, -1, 7, -4, -5]);
    for (const axis of [undefined, 0, 1, 2, -2]) {
      const inputs = [indices, integers([], [4]), values];
      await expectAgreement({ operator: 'OneHot', opset: 11, inputs, attributes: { axis } });
    }
  });
});

describe('operators that make tensors as ONNX Runtime', () => {
  it('Shape and Size', async () => {
    const inputs = [randomly([2, 3, 4, 5])];
    const parts: readonly PlainAttributes[] = [
      {},
      { start: 1 },
      { start: -2 },
      { end: -1 },
      { start: 1, end: 3 },
      { start: 3, end: 1 },
      { start: -9, end: 9 },
    ];
    for (const attributes of parts) {
      await expectAgreement({ operator: 'Shape', opset: 15, inputs, attributes });
    }
    await expectAgreement({ operator: 'Size', opset: 13, inputs });
  });

  it('Constant', async () => {
    const values: readonly PlainAttributes[] = [
      { value: { type: 'float32', dims: [2, 1], data: Float32Array.of(1.5, -2) } },
      { value: { type: 'bool', dims: [2], data: Uint8Array.of(1, 0) } },
      { value_float: { float: 0.5 } },
      { value_int: 3 },
      { value_floats: { floats: [1, 2.5] } },
      { value_ints: [4, 5, 6] },
    ];
    for (const attributes of values) {
      await expectAgreement({ operator: 'Constant', opset: 13, inputs: [], attributes });
    }
  });

  it('ConstantOfShape', async () => {
    const value = { type: 'int64', dims: [1], data: BigInt64Array.of(7n) } as const;
    await expectAgreement({ operator: 'ConstantOfShape', opset: 9, inputs: [vector(2, 3)] });
    await expectAgreement({
      operator: 'ConstantOfShape',
      opset: 9,
      inputs: [vector(2, 3)],
      attributes: { value },
    });
    await expectAgreement({
      operator: 'ConstantOfShape',
      opset: 9,
      inputs: [vector()],
      attributes: { value },
    });
  });

  it('Range', async () => {
    for (const list of [
      [0, 5, 1],
      [5, 0, -2],
      [3, 3, 1],
      [1, 8, 3],
    ]) {
      const inputs = list.map((entry) => integers([], [entry]));
      await expectAgreement({ operator: 'Range', opset: 11, inputs });
    }
    const floats = [0.5, 2.2, 0.25].map((entry) => numbers([], [entry]));
    await expectAgreement({ operator: 'Range', opset: 11, inputs: floats });
  });

  it('Dropout keeps everything, and says so in its mask', async () => {
    const x = randomly([2, 3]);
    await expectAgreement({ operator: 'Dropout', opset: 12, inputs: [x], outputs: 2 });
    const inputs = [x, numbers([], [0.3]), booleans([], [0])];
    await expectAgreement({ operator: 'Dropout', opset: 13, inputs, outputs: 2 });
  });
});
