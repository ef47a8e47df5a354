import {
  type EpsilonOptions,
  lrp as lrpComposite,
  lrpEpsilon as lrpEpsilonComposite,
} from '@unitscope/autodiff';
import { explainBy } from './explain.js';
import { type OnePassMethod, onePass } from './method.js';

const EPSILON = 1e-6;

/**
 * Layer-wise relevance propagation with a rule for each type of layer, z-plus in convolutions and epsilon in fully
 * connected layers (Bach et al. 2015; Montavon et al. 2019), [N, C, H, W]: the score, shared out among the pixels.
 * Throws `wrong-use` for an epsilon that is not above 0.
 */
export function lrpMethod({ epsilon = EPSILON }: EpsilonOptions = {}): OnePassMethod {
  return onePass({
    name: 'lrp',
    summary: 'the score shared out among the pixels, layer by layer, by what spoke for it',
    composite: lrpComposite({ epsilon }),
    form: 'signed',
    parameters: { epsilon },
  });
}

/**
 * Layer-wise relevance propagation by the epsilon rule in every layer (Bach et al. 2015), [N, C, H, W]. With a small
 * epsilon it is input times gradient in a network of ReLUs; a larger one drops what nearly cancelled. Throws as
 * `lrpMethod`.
 */
export function lrpEpsilonMethod({ epsilon = EPSILON }: EpsilonOptions = {}): OnePassMethod {
  return onePass({
    name: 'lrp-epsilon',
    summary: 'the score shared out among the pixels by what spoke for and against it',
    composite: lrpEpsilonComposite({ epsilon }),
    form: 'signed',
    parameters: { epsilon },
  });
}

/** See `lrpMethod`, with its defaults. */
export const lrp = explainBy(lrpMethod());

/** See `lrpEpsilonMethod`, with its defaults. */
export const lrpEpsilon = explainBy(lrpEpsilonMethod());
