import { gradient as gradientComposite } from '@unitscope/autodiff';
import type { Model } from '@unitscope/model';
import { sizeOf, type Tensor, UnitscopeError, zeros } from '@unitscope/tensor';
import { resample } from '../resample.js';
import { explainBy } from './explain.js';
import type { Method } from './method.js';
import type { BackwardPass, Passes } from './passes.js';
import { guidedBackpropMethod } from './rectifying.js';

export interface GradCamOptions {
  /** The layer whose maps are weighted; `last-conv` by default. */
  readonly layer?: string;
}

const SILENCE = 'no channel of the layer speaks for it where it is active';

/**
 * ReLU(Σ_k a_k A_k) with a_k the mean of dS/dA_k over the map, brought to the picture's size bilinearly, [N, 1, H, W]
 * (Selvaraju et al. 2017, equations 1 and 2). A map that is negative everywhere is zero.
 *
 * Throws `wrong-use` for a layer that has no map, and where `last-conv` is asked for of a network without one.
 */
export function gradCamMethod({ layer = 'last-conv' }: GradCamOptions = {}): Method {
  const composite = gradientComposite;
  return {
    name: 'grad-cam',
    summary: 'where the last convolution finds what speaks for the class',
    form: 'magnitude',
    composite,
    parameters: { layer },
    firstPass: (model) => passTo(model, layer),
    silence: SILENCE,
    attribute: async (passes, batch) => ({ map: enlarge(await camOf(passes, batch, layer), batch) }),
  };
}

/**
 * Guided backpropagation times Grad-CAM's map, [N, C, H, W] (Selvaraju et al. 2017, section 3.2). Throws as
 * `gradCamMethod`.
 */
export function guidedGradCamMethod({ layer = 'last-conv' }: GradCamOptions = {}): Method {
  const { composite } = guidedBackpropMethod;
  return {
    name: 'guided-grad-cam',
    summary: 'guided backpropagation where Grad-CAM sees the class',
    form: 'signed',
    composite,
    parameters: { layer },
    silence: SILENCE,
    attribute: async (passes, batch) => {
      passes.expect(2);
      const { signal } = await passes.run(batch, { composite });
      const weights = enlarge(await camOf(passes, batch, layer), batch);
      const [, channels = 1] = signal.dims;
      const plane = weights.data.length / Math.max(weights.dims[0]!, 1);
      const data = signal.data.map((value, i) => {
        const sample = Math.floor(i / (plane * channels));
        return value * weights.data[sample * plane + (i % plane)]!;
      });
      return { map: { dims: signal.dims, data } };
    },
  };
}

/** Σ_k a_k A_k before the rectification, [N, 1, h, w], of the layer's size. Throws as `gradCamMethod`. */
export async function classActivationMap(
  passes: Passes,
  batch: Tensor,
  layer = 'last-conv',
): Promise<Tensor> {
  const pass = passTo(passes.model, layer);
  const { signal, outputs } = await passes.run(batch, pass);
  const activations = outputs.get(pass.wrt!)!;
  const [count = 0, channels = 0, ...map] = signal.dims;
  const plane = sizeOf(map);
  const cam = zeros([count, 1, ...map]);
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < channels; c++) {
      const from = (n * channels + c) * plane;
      let sum = 0;
      for (let i = 0; i < plane; i++) sum += signal.data[from + i]!;
      const weight = sum / plane;
      for (let i = 0; i < plane; i++) cam.data[n * plane + i]! += weight * activations.data[from + i]!;
    }
  }
  return cam;
}

async function camOf(passes: Passes, batch: Tensor, layer: string): Promise<Tensor> {
  const { dims, data } = await classActivationMap(passes, batch, layer);
  return { dims, data: data.map((value) => Math.max(value, 0)) };
}

function passTo(model: Model, name: string): BackwardPass & { readonly wrt: string } {
  const layer = model.layer(name);
  if (layer.dims?.length !== 4) {
    throw new UnitscopeError(
      'wrong-use',
      `${layer.name} has dims [${layer.dims?.join(', ') ?? '?'}], Grad-CAM needs a layer with maps, [N, C, h, w]`,
      { subject: layer.name },
    );
  }
  return { composite: gradientComposite, wrt: layer.name, outputs: [layer.name] };
}

function enlarge({ dims, data }: Tensor, batch: Tensor): Tensor {
  const [count = 0, , h = 0, w = 0] = dims;
  const [, , height = 0, width = 0] = batch.dims;
  const map = zeros([count, 1, height, width]);
  for (let n = 0; n < count; n++) {
    const values = data.subarray(n * h * w, (n + 1) * h * w);
    const source = { width: w, height: h, channels: 1 };
    map.data.set(resample(values, source, { width, height }), n * height * width);
  }
  return map;
}

/** See `gradCamMethod`, with its defaults. */
export const gradCam = explainBy(gradCamMethod());

/** See `guidedGradCamMethod`, with its defaults. */
export const guidedGradCam = explainBy(guidedGradCamMethod());
