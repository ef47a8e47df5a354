import { deconvolution, gradient, guidedBackprop } from '@unitscope/autodiff';
import { Model } from '@unitscope/model';
import { Random, type Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { CONFIGURATIONS } from './support/engines.js';
import { golden } from './support/goldens.js';
import { sharedFile } from './support/networks.js';

/** Relative L2 distance and largest distance, both relative to what is expected. */
function distance(actual: Tensor, expected: Tensor): { l2: number; worst: number } {
  expect(actual.dims).toEqual(expected.dims);
  let [square, total, worst, largest] = [0, 0, 0, 0];
  expected.data.forEach((value, i) => {
    const difference = Math.abs(actual.data[i]! - value);
    square += difference ** 2;
    total += value ** 2;
    worst = Math.max(worst, difference);
    largest = Math.max(largest, Math.abs(value));
  });
  return { l2: Math.sqrt(square / total), worst: worst / largest };
}

// Geometry of the last convolution, computed by hand from the architectures' windows and pads.
const NETWORKS = [
  {
    file: 'squeezenet1.0-dc',
    layers: 66,
    last: 'conv_final',
    dims: [1000, 15, 15],
    size: 155,
    stride: 16,
    offset: -76,
  },
  {
    file: 'mobilenetv2-1.0-224',
    layers: 102,
    last: 'Conv_1',
    dims: [1280, 7, 7],
    size: 491,
    stride: 32,
    offset: -214,
  },
  {
    file: 'mobilenetv1-0.25-128',
    layers: 59,
    last: 'Conv2d_13_pointwise',
    dims: [256, 4, 4],
    size: 315,
    stride: 32,
    offset: -126,
  },
  {
    file: 'resnet20-cifar10',
    layers: 74,
    last: 'layer3.2_2_conv',
    dims: [64, 8, 8],
    size: 81,
    stride: 4,
    offset: -40,
  },
  { file: 'resnet8-cifar10-mlperf', layers: 24, last: '', dims: [64, 8, 8], size: 25, stride: 4, offset: -9 },
];

for (const { file, layers, last, dims, size, stride, offset } of NETWORKS) {
  const path = sharedFile(`data/models/${file}.onnx`);
  describe.skipIf(path === undefined)(file, () => {
    it.each(CONFIGURATIONS)(
      'shows its layers, runs, and is explained (%j)',
      async (configuration) => {
        const model = await Model.load(path!, configuration);
        expect(model.layers.length).toBe(layers);
        expect(model.layers.every((layer) => layer.dims?.[0] === 'N')).toBe(true);
        const conv = model.layer('last-conv');
        expect(conv.name).toContain(last);
        expect(conv.dims).toEqual(['N', ...dims]);
        expect(conv.receptiveField).toMatchObject({
          size: [size, size],
          stride: [stride, stride],
          offset: [offset, offset],
        });

        const batch = new Random(1).normalTensor([2, ...model.input.dims!.slice(1).map(Number)]);
        const some = model.layers.filter((_, i) => i % 8 === 0);
        const activations = await model.activations(
          some.map((layer) => layer.name),
          batch,
        );
        for (const layer of some) {
          expect(activations.get(layer.name)!.dims).toEqual([2, ...layer.dims!.slice(1)]);
        }
        const outputs = await model.run(batch);
        expect(Object.keys(outputs)).toEqual(['logits', 'prob']);
        const { signal, target, score } = await (await model.pullback({ kind: 'class' })).run(batch);
        expect(signal.dims).toEqual(batch.dims);
        const logits = outputs.logits!.data;
        target!.forEach((chosen, i) => {
          const row = Array.from(logits, Number).slice(
            (i * logits.length) / 2,
            ((i + 1) * logits.length) / 2,
          );
          expect(chosen).toBe(row.indexOf(Math.max(...row)));
          expect(Math.abs(score!.data[i]! - row[chosen]!)).toBeLessThan(1e-4 * Math.abs(row[chosen]!));
        });
        await model.close();
      },
      60_000,
    );
  });
}

for (const name of ['mini_alexnet', 'mini_vgg11', 'mini_resnet18']) {
  const goldens = golden(name);
  describe.skipIf(goldens === undefined)(`goldens of ${name}`, () => {
    it.each(CONFIGURATIONS)(
      'agree, for the class, the layer and the unit (%j)',
      async (configuration) => {
        const { manifest, modelFile } = goldens!;
        const model = await Model.load(modelFile, configuration);
        const input = goldens!.tensor('input');
        const tap = manifest.tap_onnx_tensor;
        const [channel, row, column] = manifest.neuron;
        const unit = { kind: 'unit', layer: tap, position: 'given' } as const;
        const place = { channel, position: [row, column] } as const;
        const ofClass = manifest.target_class;
        const cases = {
          gradient: await (await model.pullback({ kind: 'class' })).run(input, ofClass),
          guided_backprop: await (await model.pullback({ kind: 'class' }, { composite: guidedBackprop })).run(
            input,
          ),
          deconvolution: await (await model.pullback({ kind: 'class' }, { composite: deconvolution })).run(
            input,
          ),
          gradient_softmax_prob: await (await model.pullback({ kind: 'class', score: 'probability' })).run(
            input,
          ),
          layer_gradient_cam: await (
            await model.pullback({ kind: 'class' }, { wrt: manifest.cam_onnx_tensor })
          ).run(input),
          neuron_gradient: await (await model.pullback(unit, { composite: gradient })).run(input, place),
          neuron_guided_backprop: await (await model.pullback(unit, { composite: guidedBackprop })).run(
            input,
            place,
          ),
        };
        expect(cases.guided_backprop.target).toEqual([ofClass]);
        const strongest = await (await model.pullback({ kind: 'unit', layer: tap })).run(input, channel);
        expect(strongest.position).toEqual([[row, column]]);
        for (const [tensor, { signal }] of Object.entries(cases)) {
          const { l2, worst } = distance(signal, goldens!.tensor(tensor));
          expect(l2, tensor).toBeLessThan(1e-3);
          expect(worst, tensor).toBeLessThan(1e-4);
        }
        await model.close();
      },
      60_000,
    );
  });
}
