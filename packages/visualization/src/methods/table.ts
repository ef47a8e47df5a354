import { unknownName } from '@unitscope/tensor';
import type { Method } from './explain.js';
import { gradientMethod, inputTimesGradientMethod, saliencyMapMethod } from './gradient.js';
import { lrpEpsilonMethod, lrpMethod } from './lrp.js';
import { deconvnetMethod, deconvolutionMethod, guidedBackpropMethod } from './rectifying.js';

/** Every method, in the order a montage shows them. */
export const methods: readonly Method[] = [
  gradientMethod,
  saliencyMapMethod,
  inputTimesGradientMethod,
  guidedBackpropMethod,
  deconvnetMethod,
  deconvolutionMethod,
  lrpMethod,
  lrpEpsilonMethod,
];

/** The method of that name; throws `wrong-use` with a guess at what was meant. */
export function methodNamed(name: string): Method {
  const method = methods.find((candidate) => candidate.name === name);
  if (method !== undefined) return method;
  throw unknownName(
    'method',
    name,
    methods.map((candidate) => candidate.name),
    'wrong-use',
  );
}
