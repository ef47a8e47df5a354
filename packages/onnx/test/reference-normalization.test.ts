import type { Tensor, TensorData } from '@unitscope/tensor';
import { describe, it } from 'vitest';
import { expectAgreement, expectClose, positive, randomly, runBoth } from './reference-ort.js';

describe('normalization as ONNX Runtime', () => {
  it('BatchNormalization', async () => {
    const inputs = [
      randomly([2, 3, 4, 5]),
      randomly([3], 2),
      randomly([3], 3),
      randomly([3], 4),
      positive([3]),
    ];
    for (const opset of [9, 14, 15]) {
      await expectAgreement({
        operator: 'BatchNormalization',
        opset,
        inputs,
        attributes: { epsilon: { float: 0.01 } },
      });
    }
    const flat = [randomly([4, 3]), ...inputs.slice(1)];
    await expectAgreement({ operator: 'BatchNormalization', opset: 15, inputs: flat });
  });

  it('BatchNormalization in training, with the running moments', async () => {
    const inputs = [
      randomly([4, 3, 2, 5]),
      randomly([3], 2),
      randomly([3], 3),
      randomly([3], 4),
      positive([3]),
    ];
    const attributes = { training_mode: 1, momentum: { float: 0.7 } };
    await expectAgreement({ operator: 'BatchNormalization', opset: 15, inputs, attributes, outputs: 3 });
  });

  it('InstanceNormalization', async () => {
    const inputs = [randomly([2, 3, 4, 5]), randomly([3], 2), randomly([3], 3)];
    await expectAgreement({ operator: 'InstanceNormalization', opset: 6, inputs });
    await expectAgreement({
      operator: 'InstanceNormalization',
      opset: 6,
      inputs: [randomly([2, 3, 7]), ...inputs.slice(1)],
      attributes: { epsilon: { float: 0.5 } },
    });
  });

  it('LayerNormalization', async () => {
    const x = randomly([2, 3, 4]);
    for (const [axis, dims] of [
      [-1, [4]],
      [1, [3, 4]],
      [-3, [2, 3, 4]],
    ] as const) {
      const inputs = [x, randomly(dims, 2), randomly(dims, 3)];
      const { runtime, reference } = await runBoth({
        operator: 'LayerNormalization',
        opset: 17,
        inputs,
        attributes: { axis },
        outputs: 3,
      });
      runtime.forEach((wanted, index) => {
        expectClose(reference[index]!, wanted);
      });
    }
    await expectAgreement({ operator: 'LayerNormalization', opset: 17, inputs: [x, randomly([4], 2)] });
  });

  it('LRN', async () => {
    for (const size of [1, 3, 5, 9]) {
      await expectAgreement({
        operator: 'LRN',
        opset: 13,
        inputs: [randomly([2, 6, 3, 2])],
        attributes: { size, alpha: { float: 0.7 }, beta: { float: 0.6 }, bias: { float: 1.5 } },
      });
    }
  });
});

describe('products as ONNX Runtime', () => {
  it('Gemm in every form', async () => {
    for (const transA of [0, 1]) {
      for (const transB of [0, 1]) {
        const a = randomly(transA === 1 ? [3, 2] : [2, 3]);
        const b = randomly(transB === 1 ? [4, 3] : [3, 4], 2);
        for (const c of [undefined, [], [4], [1, 4], [2, 1], [2, 4]]) {
          const inputs: (Tensor<TensorData> | undefined)[] = [a, b];
          if (c !== undefined) inputs.push(randomly(c, 3));
          await expectAgreement({
            operator: 'Gemm',
            opset: 13,
            inputs,
            attributes: { transA, transB, alpha: { float: 0.5 }, beta: { float: 2 } },
          });
        }
      }
    }
  });

  it('MatMul', async () => {
    const pairs: readonly (readonly [readonly number[], readonly number[]])[] = [
      [
        [2, 3],
        [3, 4],
      ],
      [[3], [3]],
      [[3], [3, 4]],
      [[2, 3], [3]],
      [
        [5, 2, 3],
        [3, 4],
      ],
      [
        [2, 1, 2, 3],
        [5, 3, 4],
      ],
      [[3], [5, 3, 4]],
      [[5, 2, 3], [3]],
    ];
    for (const [a, b] of pairs) {
      await expectAgreement({ operator: 'MatMul', opset: 13, inputs: [randomly(a), randomly(b, 2)] });
    }
  });
});
