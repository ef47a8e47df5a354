import { compile, gradient } from '@unitscope/autodiff';
import { Model } from '@unitscope/model';
import { evaluate } from '@unitscope/onnx';
import type { Tensor } from '@unitscope/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONFIGURATIONS } from '../../model/test/support/engines.js';
import {
  classActivationMap,
  explain,
  gradCamMethod,
  integratedGradientsMethod,
  type Method,
  occlusionMethod,
  Passes,
  type Quadrature,
  type QuadratureName,
  quadrature,
  smoothGradMethod,
  smoothGradSquaredMethod,
  varGradMethod,
} from '../src/index.js';
import { Golden, goldensAreThere } from './support/goldens.js';

const NAMES = ['mini_alexnet', 'mini_vgg11', 'mini_resnet18', 'mobilenet_v2_035', 'opzoo'];
const engines = CONFIGURATIONS.filter(({ lowering }, i) => lowering === 'blocked' || i === 0);
const configured = NAMES.flatMap((name) => engines.map((configuration) => ({ name, ...configuration })));
const there = goldensAreThere();

/** Captum, which made the goldens, rounds the nodes to float32; next to a kink of the network that decides. */
function asCaptum(name: QuadratureName): Quadrature {
  const { nodes, weights } = quadrature(name, 50);
  return { nodes: nodes.map(Math.fround), weights };
}

/**
 * The step of Gauss-Legendre at which a unit of the network lies closer to a kink than float32 can tell: 5.99997 where
 * ReLU6 ends, among values of 18. Which side it falls on is rounding's choice, and changes the gradient by half.
 */
const STEP_AT_A_KINK: Readonly<Record<string, number>> = { mobilenet_v2_035: 26 };

/** dS/dx in double precision, by the slow evaluation of the graph. */
function exactGradient({ graph, input }: Model, picture: Tensor<Float64Array>, target: number) {
  const value = graph.outputs[0]!.name;
  const compiled = compile(graph, {
    composite: gradient,
    objective: { kind: 'class', value },
    wrt: [input.name],
  });
  const feeds = {
    [input.name]: picture,
    [compiled.targetInput]: { dims: [1], data: Float64Array.of(target) },
  };
  return evaluate(compiled.graph, feeds).get(compiled.signals.get(input.name)!)!;
}

describe.skipIf(!there).each(configured)(
  '$name on $engine, lowering $lowering',
  ({ name, engine, lowering }) => {
    let golden: Golden;
    let model: Model;
    const bound = name.startsWith('mobilenet') ? 1e-2 : 1e-3;

    beforeAll(async () => {
      golden = new Golden(name);
      model = await Model.load(golden.model, { engine, lowering });
    });
    afterAll(() => model.close());

    const explained = (method: Method) =>
      explain(model, method, golden.input(), { target: golden.manifest.target_class! });
    const expectGolden = (map: Tensor, tensor: string) => {
      if (golden.has(tensor)) golden.expectEqual(map, tensor, bound);
    };

    it('integrated gradients by both rules', async () => {
      const rule = asCaptum('gauss-legendre');
      const gauss = await explained(integratedGradientsMethod({ quadrature: rule }));
      const kink = STEP_AT_A_KINK[name];
      if (kink === undefined) {
        expectGolden(gauss.map, 'integrated_gradients_gausslegendre50');
      } else {
        const weights = rule.weights.map((weight, step) => (step === kink ? 0 : weight));
        const { map } = await explained(integratedGradientsMethod({ quadrature: { ...rule, weights } }));
        const { dims, data } = golden.input();
        const picture = { dims, data: Float64Array.from(data, (value) => rule.nodes[kink]! * value) };
        const exact = exactGradient(model, picture, golden.manifest.target_class!);
        const added = map.data.map((value, i) => value + rule.weights[kink]! * data[i]! * exact.data[i]!);
        expectGolden({ dims, data: added }, 'integrated_gradients_gausslegendre50');
      }
      const midpoint = await explained(integratedGradientsMethod({ quadrature: asCaptum('midpoint') }));
      expectGolden(midpoint.map, 'integrated_gradients_riemann_middle50');
      const [{ sum, score, baselineScore, difference }] = gauss.completeness!;
      expect(sum).toBeCloseTo(
        gauss.map.data.reduce((total, value) => total + value, 0),
        2,
      );
      expect(score).toBe(gauss.score[0]);
      expect(difference).toBeCloseTo(sum - (score - baselineScore), 6);
    });

    it('SmoothGrad, SmoothGrad-squared and VarGrad over the noise given', async () => {
      const given = golden.input('smoothgrad_noise');
      expectGolden((await explained(smoothGradMethod({ given }))).map, 'smoothgrad');
      expectGolden((await explained(smoothGradSquaredMethod({ given }))).map, 'smoothgrad_sq');
      expectGolden((await explained(varGradMethod({ given }))).map, 'vargrad');
    });

    it('Grad-CAM: the map of the layer, rectified, and enlarged', async () => {
      const layer = golden.manifest.cam_onnx_tensor!;
      const passes = new Passes(model, 1, { target: golden.manifest.target_class! });
      const cam = await classActivationMap(passes, golden.input(), layer);
      expectGolden(cam, 'gradcam');
      expectGolden({ dims: cam.dims, data: cam.data.map((value) => Math.max(value, 0)) }, 'gradcam_relu');
      expectGolden((await explained(gradCamMethod({ layer }))).map, 'gradcam_relu_upsampled_bilinear');
    });

    it('occlusion', async () => {
      const [, ...window] = golden.manifest.occlusion_window!;
      const [, ...stride] = golden.manifest.occlusion_stride!;
      const { map } = await explained(occlusionMethod({ window, stride }));
      // Captum gives every colour of a pixel the value of the pixel.
      const [, channels] = golden.read('occlusion').dims;
      const data = Float32Array.from(
        { length: channels! * map.data.length },
        (_, i) => map.data[i % map.data.length]!,
      );
      expectGolden({ dims: [1, channels!, ...map.dims.slice(2)], data }, 'occlusion');
    });
  },
);

describe.skipIf(!there)('trained_squeezenet10', () => {
  it('Grad-CAM of a photo', async () => {
    const golden = new Golden('trained_squeezenet10');
    const model = await Model.load(golden.model);
    const target = golden.manifest.cases![0]!.target;
    const passes = new Passes(model, 1, { target });
    const cam = await classActivationMap(
      passes,
      golden.input('img0.input'),
      golden.manifest.cam_onnx_tensor!,
    );
    const rectified = { dims: cam.dims, data: cam.data.map((value) => Math.max(value, 0)) };
    golden.expectEqual(rectified, 'img0.gradcam_relu', 1e-3);
    await model.close();
  });
});
