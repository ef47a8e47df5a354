import { lrp as lrpComposite, lrpEpsilon as lrpEpsilonComposite } from '@unitscope/autodiff';
import { explainBy, type Method } from './explain.js';

/**
 * Layer-wise relevance propagation with a rule for each type of layer, z-plus in convolutions and epsilon in fully
 * connected layers (Bach et al. 2015; Montavon et al. 2019), [N, C, H, W]: the score, shared out among the pixels.
 */
export const lrpMethod: Method = {
  name: 'lrp',
  summary: 'the score shared out among the pixels, layer by layer, by what spoke for it',
  composite: lrpComposite(),
  form: 'signed',
  finish: (signal) => signal,
};

/** Layer-wise relevance propagation by the epsilon rule in every layer (Bach et al. 2015), [N, C, H, W]. */
export const lrpEpsilonMethod: Method = {
  name: 'lrp-epsilon',
  summary: 'the score shared out among the pixels by what spoke for and against it',
  composite: lrpEpsilonComposite(),
  form: 'signed',
  finish: (signal) => signal,
};

/** See `lrpMethod`. */
export const lrp = explainBy(lrpMethod);

/** See `lrpEpsilonMethod`. */
export const lrpEpsilon = explainBy(lrpEpsilonMethod);
