import { UNITSCOPE_DOMAIN } from '../native-operator.js';
import { type ReluGradRule, reluGrad } from '../operators/relu-grad.js';
import type { Rule, RuleContext } from '../rule.js';

/** Signal at the input of a rectifier, from its output: reading the output leaves Conv + Relu to be fused. */
export function emitReluGrad(context: RuleContext, rule: ReluGradRule, ceiling?: number): string {
  const dy = context.signal(0)!;
  const attributes = { rule, ceiling: ceiling === undefined ? undefined : { float: ceiling } };
  return context.emit(reluGrad.operator, [context.node.outputs[0]!, dy], attributes, {
    domain: UNITSCOPE_DOMAIN,
  });
}

function reluRule(rule: ReluGradRule): Rule {
  return {
    name: `relu.${rule}`,
    operator: 'Relu',
    backward: (context) => [emitReluGrad(context, rule)],
  };
}

/**
 * y = max(x, 0). The derivative is 0 at 0.
 *
 * - `gradient`: R [x > 0] (Simonyan et al., arXiv 1312.6034)
 * - `guided`: R [x > 0] [R > 0] (Springenberg et al., arXiv 1412.6806)
 * - `deconvnet`: max(R, 0) (Zeiler and Fergus, arXiv 1311.2901)
 */
export const relu = {
  gradient: reluRule('gradient'),
  guided: reluRule('guided'),
  deconvnet: reluRule('deconvnet'),
};
