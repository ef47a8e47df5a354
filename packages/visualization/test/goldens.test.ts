import { gradient as gradientComposite } from '@unitscope/autodiff';
import { Model } from '@unitscope/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONFIGURATIONS } from '../../model/test/support/engines.js';
import {
  deconvnet,
  deconvolution,
  type ExplainOptions,
  gradient,
  guidedBackprop,
  inputTimesGradient,
  saliencyMap,
} from '../src/index.js';
import { Golden, goldensAreThere } from './support/goldens.js';

/** Every network on every engine with every lowering. */
const configured = (names: readonly string[]) =>
  names.flatMap((name) => CONFIGURATIONS.map((configuration) => ({ name, ...configuration })));

const there = goldensAreThere();
const rectifying = { guided_backprop: guidedBackprop, deconvolution };

const NAMES = ['mini_alexnet', 'mini_vgg11', 'mini_resnet18', 'mobilenet_v2_035', 'opzoo'];

describe.skipIf(!there).each(configured(NAMES))(
  '$name on $engine, lowering $lowering',
  ({ name, engine, lowering }) => {
    let golden: Golden;
    let model: Model;
    const mobile = name.startsWith('mobilenet');
    const bound = mobile ? 1e-2 : 1e-3;

    beforeAll(async () => {
      golden = new Golden(name);
      model = await Model.load(golden.model, { engine, lowering });
    });
    afterAll(() => model.close());

    const classOptions = (): ExplainOptions => ({ target: golden.manifest.target_class! });
    const unitOptions = (): ExplainOptions => {
      const [channel, y, x] = golden.manifest.neuron!;
      return { unit: { layer: golden.manifest.tap_onnx_tensor!, channel, position: [y, x] } };
    };

    it('finds the class and its score', async () => {
      const { target, score } = await gradient(model, golden.input());
      expect(target).toEqual([golden.manifest.target_class]);
      const logit = golden.read('logits').data[golden.manifest.target_class!];
      expect(Math.abs(score[0]! - Number(logit))).toBeLessThan(1e-4 * Math.abs(Number(logit)));
    });

    it('gradient', async () => {
      golden.expectEqual((await gradient(model, golden.input(), classOptions())).map, 'gradient', bound);
    });

    it('gradient of the probability', async () => {
      const { map } = await gradient(model, golden.input(), { ...classOptions(), score: 'probability' });
      golden.expectEqual(map, 'gradient_softmax_prob', bound);
    });

    // Captum's own rule leaves ReLU6 alone; ours counts it among the ReLUs.
    it.each(Object.entries(rectifying))('%s', async (tensor, method) => {
      const { map } = await method(model, golden.input(), classOptions());
      golden.expectEqual(map, mobile ? `${tensor}_incl_relu6` : tensor, bound);
    });

    it('gradient of a unit', async () => {
      golden.expectEqual(
        (await gradient(model, golden.input(), unitOptions())).map,
        'neuron_gradient',
        bound,
      );
    });

    it.skipIf(mobile).each(Object.entries(rectifying))('%s of a unit', async (tensor, method) => {
      const { map, position } = await method(model, golden.input(), unitOptions());
      expect(position).toEqual([golden.manifest.neuron!.slice(1)]);
      golden.expectEqual(map, `neuron_${tensor}`, bound);
    });

    it('gradient at a layer', async () => {
      const pullback = await model.pullback(
        { kind: 'class' },
        { composite: gradientComposite, wrt: golden.manifest.cam_onnx_tensor! },
      );
      const { signal } = await pullback.run(golden.input(), golden.manifest.target_class!);
      golden.expectEqual(signal, 'layer_gradient_cam', bound);
    });

    it.skipIf(name !== 'mini_alexnet' && name !== 'mini_vgg11')(
      'deconvnet of Zeiler and Fergus',
      async () => {
        const layer = golden.manifest.tap_onnx_tensor!;
        const [channel, y, x] = golden.manifest.neuron!;
        const { map, position } = await deconvnet(model, golden.input(), { unit: { layer, channel } });
        expect(position).toEqual([[y, x]]);
        golden.expectEqual(map, 'zeiler_deconv', bound);
      },
    );

    it('saliency map: the largest magnitude over the channels', async () => {
      const { map } = await saliencyMap(model, golden.input(), classOptions());
      const { dims, data } = golden.read('gradient');
      const plane = dims[2]! * dims[3]!;
      expect(map.dims).toEqual([1, 1, dims[2], dims[3]]);
      const expected = Array.from({ length: plane }, (_, i) =>
        Math.max(...[0, 1, 2].map((c) => Math.abs(Number(data[c * plane + i])))),
      );
      const scale = Math.max(...expected);
      const worst = Math.max(...expected.map((value, i) => Math.abs(value - map.data[i]!)));
      expect(worst / scale).toBeLessThan(
        Math.max(1e-4, 4 * golden.manifest.f32_vs_f64!['gradient']!.f32_rel_to_max),
      );
    });

    it('input times gradient', async () => {
      const input = golden.input();
      const { map } = await inputTimesGradient(model, input, classOptions());
      const { map: alone } = await gradient(model, input, classOptions());
      expect(map.data).toEqual(alone.data.map((g, i) => g * input.data[i]!));
    });
  },
);

const TRAINED = ['trained_resnet20_cifar', 'trained_squeezenet10'];

describe.skipIf(!there).each(configured(TRAINED))(
  '$name on $engine, lowering $lowering',
  ({ name, engine, lowering }) => {
    let golden: Golden;
    let model: Model;
    beforeAll(async () => {
      golden = new Golden(name);
      model = await Model.load(golden.model, { engine, lowering });
    });
    afterAll(() => model.close());

    const methods = { gradient, guided_backprop: guidedBackprop, deconvolution };
    it.each(Object.entries(methods))('%s of every photo', async (tensor, method) => {
      for (const j of golden.manifest.images!.keys()) {
        const { map } = await method(model, golden.input(`img${j}.input`));
        golden.expectEqual(map, `img${j}.${tensor}`, 1e-3);
      }
    });
  },
);
