import { type Tensor, unknownName } from '@unitscope/tensor';
import type { Baseline } from './baseline.js';
import { gradCamMethod, guidedGradCamMethod } from './grad-cam.js';
import { gradientMethod, inputTimesGradientMethod, saliencyMapMethod } from './gradient.js';
import { integratedGradientsMethod } from './integrated-gradients.js';
import { lrpEpsilonMethod, lrpMethod } from './lrp.js';
import type { Method } from './method.js';
import { occlusionMethod } from './occlusion.js';
import { deconvnetMethod, deconvolutionMethod, guidedBackpropMethod } from './rectifying.js';
import { smoothGradMethod, smoothGradSquaredMethod, varGradMethod } from './smooth-grad.js';

/** What methods are made with; each takes what concerns it and leaves the rest. */
export interface MethodOptions {
  /** Of integrated gradients. */
  readonly steps?: number;
  /** Noisy copies of SmoothGrad and its kin, their noise and its seed. */
  readonly samples?: number;
  readonly noise?: number;
  readonly seed?: number;
  /** The noise itself instead, [samples, C, H, W] in the input's units. */
  readonly given?: Tensor;
  /** Of integrated gradients and occlusion. */
  readonly baseline?: Baseline;
  /** Of occlusion. */
  readonly window?: readonly [number, number];
  readonly stride?: readonly [number, number];
  /** Of LRP: what keeps its divisions sound. */
  readonly epsilon?: number;
  /** Of Grad-CAM and guided Grad-CAM. */
  readonly layer?: string;
}

/** How each method is made, in the order a montage shows them. */
const makers: readonly ((options: MethodOptions) => Method)[] = [
  () => gradientMethod,
  () => saliencyMapMethod,
  () => inputTimesGradientMethod,
  integratedGradientsMethod,
  smoothGradMethod,
  smoothGradSquaredMethod,
  varGradMethod,
  () => guidedBackpropMethod,
  () => deconvnetMethod,
  () => deconvolutionMethod,
  lrpMethod,
  lrpEpsilonMethod,
  gradCamMethod,
  guidedGradCamMethod,
  occlusionMethod,
];

/** Every method with its defaults, in the order a montage shows them. */
export const methods: readonly Method[] = makers.map((make) => make({}));

/**
 * The method of that name, made with these options. Throws `wrong-use` with a guess at what was meant, and for an option
 * that cannot be.
 */
export function methodNamed(name: string, options: MethodOptions = {}): Method {
  const index = methods.findIndex((candidate) => candidate.name === name);
  const make = makers[index];
  if (make !== undefined) return make(options);
  throw unknownName(
    'method',
    name,
    methods.map((candidate) => candidate.name),
    'wrong-use',
  );
}
