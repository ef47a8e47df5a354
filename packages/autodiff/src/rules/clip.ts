import type { Constant, Node } from '@unitscope/onnx';
import type { ReluGradRule } from '../operators/relu-grad.js';
import type { Rule, RuleContext } from '../rule.js';
import { isLeftOut } from './axes.js';
import { scalarLike } from './pointwise.js';
import { emitReluGrad } from './relu.js';

/** Whether a node is Clip(0, c), c a constant above 0 or left out: a rectifier such as ReLU6. */
export function isReluLike(node: Node, constant: (value: string) => Constant | undefined): boolean {
  if (node.operator !== 'Clip' || node.domain !== '') return false;
  const low = boundOf(node, 1, constant);
  const high = isLeftOut(node, 2) ? Number.POSITIVE_INFINITY : boundOf(node, 2, constant);
  return low === 0 && high !== undefined && high > 0;
}

function boundOf(
  node: Node,
  input: number,
  constant: (value: string) => Constant | undefined,
): number | undefined {
  const value = node.inputs[input] ?? '';
  const known = value === '' ? undefined : constant(value);
  return known === undefined ? undefined : Number(known.data[0]);
}

function clipRule(rule: ReluGradRule): Rule {
  return { name: `clip.${rule}`, operator: 'Clip', backward: (context) => [clipBackward(context, rule)] };
}

function clipBackward(context: RuleContext, rule: ReluGradRule): string {
  const { node, emit } = context;
  if (context.needs(1) || context.needs(2)) {
    throw context.unsupported('its bounds depend on what is differentiated with respect to');
  }
  if (isReluLike(node, context.constant))
    return emitReluGrad(context, rule, boundOf(node, 2, context.constant));
  const y = node.outputs[0]!;
  const dy = context.signal(0)!;
  const conditions: string[] = [];
  if (!isLeftOut(node, 1)) conditions.push(emit('Greater', [y, node.inputs[1]!]));
  if (!isLeftOut(node, 2)) conditions.push(emit('Less', [y, node.inputs[2]!]));
  const [first, second] = conditions;
  if (first === undefined) return dy;
  const inside = second === undefined ? first : emit('And', [first, second]);
  return emit('Where', [inside, dy, scalarLike(context, y, 0)]);
}

/**
 * y = min(max(x, low), high). The derivative is 0 at both bounds; read from the output, since low < y < high where
 * low < x < high. A Clip(0, c) is a rectifier: it has the rules of Relu, with [0 < x < c] in place of [x > 0]. Any other
 * Clip keeps its derivative under all three.
 */
export const clip = {
  gradient: clipRule('gradient'),
  guided: clipRule('guided'),
  deconvnet: clipRule('deconvnet'),
};
