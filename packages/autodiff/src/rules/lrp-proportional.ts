import type { Rule } from '../rule.js';
import { checkEpsilon, emitShare } from './lrp-relevance.js';

/**
 * The epsilon rule of a layer that is linear in each of its inputs, z = sum_i z_i + b with z_i = w_i a_i:
 * R_i = z_i R / (z + eps sign(z)) (Bach et al. 2015, eq. 58), which is a * L^T(R / (z + eps sign(z))) with the
 * transpose L^T that is the layer's gradient. z holds the bias, so what the bias contributed is lost.
 *
 * It covers convolutions and fully connected layers, sums of branches (each gets its share of z), means, and
 * normalizations with fixed statistics. A product of two signals has each of its terms twice, once for either factor:
 * each factor gets half.
 *
 * @param gradient the operator's derivative
 */
export function proportional(gradient: Rule, epsilon: number): Rule {
  checkEpsilon(epsilon);
  return {
    name: gradient.name.replace(/gradient$/, 'lrp-epsilon'),
    operator: gradient.operator,
    backward: (context) => {
      const { node } = context;
      const relevance = context.signal(0);
      if (relevance === undefined) return [];
      const share = emitShare(context, relevance, node.outputs[0]!, epsilon);
      const parts = gradient.backward({
        ...context,
        signal: (output) => (output === 0 ? share : undefined),
      });
      const isProduct = PRODUCTS.has(node.operator) && context.needs(0) && context.needs(1);
      return parts.map((part, input) => {
        if (part === undefined || !context.needs(input)) return undefined;
        const relevant = context.emit('Mul', [node.inputs[input]!, part]);
        return isProduct && input < 2
          ? context.emit('Mul', [relevant, context.builder.floats(0.5)])
          : relevant;
      });
    },
  };
}

const PRODUCTS: ReadonlySet<string> = new Set(['Gemm', 'MatMul']);

/** The rule with a note for the reader of a result. */
export function noted(rule: Rule, note: string): Rule {
  return { ...rule, note };
}
