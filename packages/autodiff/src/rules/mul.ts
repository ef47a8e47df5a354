import type { Node } from '@unitscope/onnx';
import type { Rule, RuleContext } from '../rule.js';
import { toInput } from './arithmetic.js';

/** Operators that only hand a gate on. */
const CARRIERS = new Set([
  'Identity',
  'Dropout',
  'Cast',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Expand',
]);

/**
 * Which input of a Mul is a gate: the one that comes out of Sigmoid or HardSigmoid, as in squeeze-and-excitation.
 * Not a gate: x sigmoid(x), which is an activation function (SiLU, HardSwish), and a product of two such values, of
 * which neither is the one that is gated.
 */
export function gateInput(node: Node, maker: (value: string) => Node | undefined): number | undefined {
  if (node.operator !== 'Mul' || node.domain !== '') return undefined;
  const gates = [0, 1].filter((input) => {
    const source = sourceOf(node.inputs[input]!, maker);
    const made = maker(source);
    if (made === undefined || made.domain !== '') return false;
    if (made.operator !== 'Sigmoid' && made.operator !== 'HardSigmoid') return false;
    return sourceOf(made.inputs[0]!, maker) !== sourceOf(node.inputs[1 - input]!, maker);
  });
  return gates.length === 1 ? gates[0] : undefined;
}

/** Whether a node is a Mul with a gate. */
export function isGated({ node, maker }: Pick<RuleContext, 'node' | 'maker'>): boolean {
  return gateInput(node, maker) !== undefined;
}

function sourceOf(value: string, maker: (value: string) => Node | undefined): string {
  const made = maker(value);
  return made !== undefined && made.domain === '' && CARRIERS.has(made.operator)
    ? sourceOf(made.inputs[0]!, maker)
    : value;
}

function product(context: RuleContext, constant?: number): (string | undefined)[] {
  const dy = context.signal(0)!;
  const [a, b] = context.node.inputs as [string, string];
  const partial = (input: number, other: string) =>
    context.needs(input) && input !== constant
      ? toInput(context, context.emit('Mul', [dy, other]), input)
      : undefined;
  const first = partial(0, b);
  return [first, a === b ? first : partial(1, a)];
}

/**
 * y = a b: da = dy b, db = dy a.
 *
 * `gateConstant`: a gate is taken as a constant, so that the signal goes to the gated input alone: the policy of the
 * deconvnet, whose paper knows no gates. A Mul without a gate keeps its derivative.
 */
export const mul = {
  gradient: { name: 'mul.gradient', operator: 'Mul', backward: (context) => product(context) } satisfies Rule,
  gateConstant: {
    name: 'mul.gateConstant',
    operator: 'Mul',
    backward: (context) => product(context, gateInput(context.node, context.maker)),
  } satisfies Rule,
};
