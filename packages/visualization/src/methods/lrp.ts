import {
  type Composite,
  type EpsilonOptions,
  lrp as lrpComposite,
  lrpEpsilon as lrpEpsilonComposite,
} from '@unitscope/autodiff';
import type { Tensor } from '@unitscope/tensor';
import { explainBy } from './explain.js';
import { type Method, onePass } from './method.js';

const EPSILON = 1e-6;

/** How much of the score may be lost without a note. */
const TOLERATED = 0.1;

/**
 * Layer-wise relevance propagation with a rule for each type of layer, z-plus in convolutions and epsilon in fully
 * connected layers (Bach et al. 2015; Montavon et al. 2019), [N, C, H, W]: the score, shared out among the pixels.
 * Throws `wrong-use` for an epsilon that is not above 0.
 */
export function lrpMethod({ epsilon = EPSILON }: EpsilonOptions = {}): Method {
  const summary = 'the score shared out among the pixels, layer by layer, by what spoke for it';
  return relevance('lrp', summary, lrpComposite({ epsilon }), epsilon);
}

/**
 * Layer-wise relevance propagation by the epsilon rule in every layer (Bach et al. 2015), [N, C, H, W]. With a small
 * epsilon it is input times gradient in a network of ReLUs; a larger one drops what nearly cancelled. Throws as
 * `lrpMethod`.
 */
export function lrpEpsilonMethod({ epsilon = EPSILON }: EpsilonOptions = {}): Method {
  const summary = 'the score shared out among the pixels by what spoke for and against it';
  return relevance('lrp-epsilon', summary, lrpEpsilonComposite({ epsilon }), epsilon);
}

function relevance(name: string, summary: string, composite: Composite, epsilon: number): Method {
  const method = onePass({ name, summary, composite, form: 'signed', parameters: { epsilon } });
  return {
    ...method,
    attribute: async (passes, batch) => {
      const { map } = await method.attribute(passes, batch);
      return { map, notes: notesOnLoss(name, map, passes.explained.score) };
    },
  };
}

/** Relevance is a share of the score only as far as the map holds the score: biases take what they added. */
function notesOnLoss(name: string, { data }: Tensor, score: readonly number[]): string[] {
  const size = data.length / Math.max(score.length, 1);
  const held = score.map((whole, n) => {
    const sum = data.subarray(n * size, (n + 1) * size).reduce((total, value) => total + value, 0);
    return { n, part: whole === 0 ? 1 : sum / whole };
  });
  const lossy = held.filter(({ part }) => Math.abs(part - 1) > TOLERATED);
  if (lossy.length === 0) return [];
  const which = score.length === 1 ? '' : ` of picture ${lossy.map(({ n }) => n).join(', ')}`;
  const parts = lossy.map(({ part }) => `${Number((100 * part).toPrecision(2))} %`).join(', ');
  return [
    `${name}: the map${which} sums up to ${parts} of the score; biases and epsilon took the difference`,
  ];
}

/** See `lrpMethod`, with its defaults. */
export const lrp = explainBy(lrpMethod());

/** See `lrpEpsilonMethod`, with its defaults. */
export const lrpEpsilon = explainBy(lrpEpsilonMethod());
