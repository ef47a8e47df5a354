import type { Tensor, TensorData } from '@unitscope/tensor';
import { describe, it } from 'vitest';
import type { PlainAttributes } from '../src/index.js';
import { expectAgreement, numbers, randomly, vector } from './reference-ort.js';

const MODES = ['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric', 'half_pixel_symmetric'];
const ROUNDINGS = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'];
const x = randomly([1, 2, 4, 5]);
// Scales whose ties float32 decides as the definition does: ONNX Runtime also takes places 1e-6 off a half for ties.
const SCALES = [
  [1, 1, 2, 2],
  [1, 1, 0.5, 2],
  [1, 1, 1.5, 1],
  [1, 1, 4, 0.5],
  [1, 1, 0.25, 0.2],
];

function scaled(scales: readonly number[]): readonly (Tensor<TensorData> | undefined)[] {
  return [x, undefined, numbers([scales.length], scales)];
}

describe('Resize as ONNX Runtime', () => {
  for (const mode of MODES) {
    it.each(ROUNDINGS)(`nearest, ${mode}, %s`, async (nearest_mode) => {
      for (const scales of SCALES) {
        await expectAgreement({
          operator: 'Resize',
          opset: 19,
          inputs: scaled(scales),
          attributes: { coordinate_transformation_mode: mode, nearest_mode },
        });
      }
    });

    it(`linear, ${mode}`, async () => {
      for (const scales of [...SCALES, [1, 1, 1.7, 2.3], [1, 1, 0.6, 3.1]]) {
        await expectAgreement({
          operator: 'Resize',
          opset: 19,
          inputs: scaled(scales),
          attributes: { coordinate_transformation_mode: mode, mode: 'linear' },
        });
      }
    });

    it(`sizes, ${mode}`, async () => {
      for (const sizes of [
        [1, 2, 8, 10],
        [1, 2, 7, 3],
        [1, 2, 1, 13],
        [1, 2, 4, 5],
      ]) {
        for (const kind of ['nearest', 'linear']) {
          await expectAgreement({
            operator: 'Resize',
            opset: 19,
            inputs: [x, undefined, undefined, vector(...sizes)],
            attributes: { coordinate_transformation_mode: mode, mode: kind },
          });
        }
      }
    });
  }

  it('tf_half_pixel_for_nn', async () => {
    for (const scales of SCALES) {
      await expectAgreement({
        operator: 'Resize',
        opset: 11,
        inputs: [x, numbers([0], []), numbers([4], scales)],
        attributes: { coordinate_transformation_mode: 'tf_half_pixel_for_nn', nearest_mode: 'floor' },
      });
    }
  });

  it('tf_crop_and_resize', async () => {
    const regions = [
      [0, 0, 0.25, 0.25, 1, 1, 0.75, 0.75],
      [0, 0, -0.25, 0.5, 1, 1, 1.25, 1.5],
      [0, 0, 0, 0, 1, 1, 1, 1],
    ];
    for (const region of regions) {
      for (const mode of ['nearest', 'linear']) {
        await expectAgreement({
          operator: 'Resize',
          opset: 13,
          inputs: [x, numbers([8], region), undefined, vector(1, 2, 6, 7)],
          attributes: {
            mode,
            coordinate_transformation_mode: 'tf_crop_and_resize',
            extrapolation_value: { float: 9 },
          },
        });
      }
    }
  });

  it('version 10: scales are input 1, coordinates are asymmetric', async () => {
    for (const scales of SCALES) {
      for (const mode of ['nearest', 'linear']) {
        await expectAgreement({
          operator: 'Resize',
          opset: 10,
          inputs: [x, numbers([4], scales)],
          attributes: { mode },
        });
      }
    }
  });

  it('named axes', async () => {
    const attributes: PlainAttributes = { axes: [3, 2], mode: 'linear' };
    await expectAgreement({
      operator: 'Resize',
      opset: 18,
      inputs: [x, undefined, numbers([2], [2, 1.5])],
      attributes,
    });
    await expectAgreement({
      operator: 'Resize',
      opset: 18,
      inputs: [x, undefined, undefined, vector(7, 9)],
      attributes,
    });
  });

  it('keep_aspect_ratio_policy', async () => {
    for (const keep_aspect_ratio_policy of ['not_larger', 'not_smaller']) {
      for (const mode of ['nearest', 'linear']) {
        await expectAgreement({
          operator: 'Resize',
          opset: 18,
          inputs: [x, undefined, undefined, vector(7, 12)],
          attributes: { axes: [2, 3], mode, keep_aspect_ratio_policy },
        });
      }
    }
  });
});

describe('Upsample as ONNX Runtime', () => {
  it.each(['nearest', 'linear'])('%s', async (mode) => {
    for (const scales of [
      [1, 1, 2, 2],
      [1, 1, 3, 1.5],
    ]) {
      await expectAgreement({
        operator: 'Upsample',
        opset: 9,
        inputs: [x, numbers([4], scales)],
        attributes: { mode },
      });
      await expectAgreement({
        operator: 'Upsample',
        opset: 8,
        inputs: [x],
        attributes: { mode, scales: { floats: scales } },
      });
    }
  });
});
