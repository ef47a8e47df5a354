import type { Assignment, Composite, NodeView } from '../composite.js';
import { clip, isReluLike } from '../rules/clip.js';
import { lrn } from '../rules/lrn.js';
import { isGated, mul } from '../rules/mul.js';
import { relu } from '../rules/relu.js';

// The methods that change the ReLU's rule. Their papers speak of ReLU alone; Clip(0, c), the ReLU6 of mobile
// networks, is one of its kind and gets the same rule. Every other activation keeps its derivative.

const startAtLogits = 'explain the score before the softmax';
const forbidden = { Softmax: startAtLogits, LogSoftmax: startAtLogits };
const silentOn = [
  'LeakyRelu',
  'PRelu',
  'Elu',
  'Selu',
  'Celu',
  'Sigmoid',
  'HardSigmoid',
  'HardSwish',
  'Tanh',
  'Softplus',
  'Softsign',
  'Gelu',
  'Mish',
  'Erf',
];

const clipIsRelu = ({ node, constant }: NodeView) => isReluLike(node, constant);

function rectify(variant: 'guided' | 'deconvnet'): readonly Assignment[] {
  return [{ rule: relu[variant] }, { rule: clip[variant], when: clipIsRelu }];
}

/** R·(z>0)·(R>0) at every ReLU (Springenberg, Dosovitskiy, Brox, Riedmiller 2014). */
export const guidedBackprop: Composite = {
  name: 'guided-backprop',
  assignments: rectify('guided'),
  forbidden,
  silentOn,
};

/** max(R, 0) at every ReLU and nothing else changed: the rectification of the deconvnet on its own, as in Captum. */
export const deconvolution: Composite = {
  name: 'deconvolution',
  assignments: rectify('deconvnet'),
  forbidden,
  silentOn,
};

/**
 * The deconvnet (Zeiler and Fergus 2014): unpooling by switches, rectification of the signal, transposed filters, no
 * contrast normalisation on the way back, gates held constant; a unit's own activation is the signal it starts with.
 */
export const deconvnet: Composite = {
  name: 'deconvnet',
  assignments: [...rectify('deconvnet'), { rule: lrn.identity }, { rule: mul.gateConstant, when: isGated }],
  start: { unit: 'activation' },
  forbidden,
  silentOn,
};
