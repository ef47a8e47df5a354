import {
  deconvnet as deconvnetComposite,
  deconvolution as deconvolutionComposite,
  guidedBackprop as guidedBackpropComposite,
} from '@unitscope/autodiff';
import { explainBy } from './explain.js';
import { onePass } from './method.js';

/** Guided backpropagation (Springenberg, Dosovitskiy, Brox, Riedmiller 2014), [N, C, H, W]. */
export const guidedBackpropMethod = onePass({
  name: 'guided-backprop',
  summary: 'the gradient, keeping only positive signals through active ReLUs',
  composite: guidedBackpropComposite,
  form: 'signed',
});

/**
 * The deconvnet (Zeiler and Fergus 2014), [N, C, H, W]: unpooling by switches, a rectified signal, transposed filters,
 * local response normalisation passed over. A unit starts with its own activation, a class with 1.
 */
export const deconvnetMethod = onePass({
  name: 'deconvnet',
  summary: 'the unit projected back to pixels by unpooling and transposed filters',
  composite: deconvnetComposite,
  form: 'signed',
});

/** The deconvnet's ReLU rule alone, every other operator keeping its derivative (Captum's Deconvolution). */
export const deconvolutionMethod = onePass({
  name: 'deconvolution',
  summary: 'the gradient with the ReLUs of the deconvnet',
  composite: deconvolutionComposite,
  form: 'signed',
});

/** See `guidedBackpropMethod`. */
export const guidedBackprop = explainBy(guidedBackpropMethod);

/** See `deconvnetMethod`. */
export const deconvnet = explainBy(deconvnetMethod);

/** See `deconvolutionMethod`. */
export const deconvolution = explainBy(deconvolutionMethod);
