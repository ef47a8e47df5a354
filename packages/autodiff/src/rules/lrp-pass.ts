import type { Node } from '@unitscope/onnx';
import type { NodeView } from '../composite.js';
import type { Rule, RuleContext } from '../rule.js';
import { toInput } from './arithmetic.js';

/**
 * Relevance passes an activation function unchanged: all that the output is worth, its only input is (Bach et al. 2015).
 * So for every function of one signal, element by element; of several inputs the first that is a signal is meant.
 */
export function passing(operator: string, note?: string): Rule {
  return {
    name: `${operator.toLowerCase()}.lrp-pass`,
    operator,
    backward: (context) => {
      const first = context.node.inputs.findIndex((_, input) => context.needs(input));
      return context.node.inputs.map((_, input) =>
        input === first ? toInput(context, context.signal(0)!, input) : undefined,
      );
    },
    ...(note === undefined ? {} : { note }),
  };
}

const SQUASHING: ReadonlySet<string> = new Set(['Sigmoid', 'HardSigmoid', 'Tanh', 'Softmax']);

/** Functions of one signal, with constants beside it: what a gate is computed by. */
const POINTWISE: ReadonlySet<string> = new Set([
  ...['Sigmoid', 'HardSigmoid', 'Tanh', 'Softplus', 'Clip', 'Relu', 'Erf', 'Exp', 'Log', 'Neg', 'Reciprocal'],
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow'],
]);

/** Operators that only hand a signal on. */
const CARRIERS: ReadonlySet<string> = new Set([
  ...['Identity', 'Dropout', 'Cast', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Expand'],
]);

/**
 * Which input of a Mul is the signal and which only weighs it: the other input is a constant, a function of the signal
 * itself (x sigmoid(x), x erf(x), HardSwish in parts), or comes out of a squashing function. Undefined for a product of
 * two signals of equal rights.
 */
export function signalInput({ node, maker, constant }: Omit<NodeView, 'consumers'>): number | undefined {
  const [a, b] = node.inputs as [string, string];
  if (constant(a) !== undefined) return 1;
  if (constant(b) !== undefined) return 0;
  if (isFunctionOf(b, a, { maker, constant })) return 0;
  if (isFunctionOf(a, b, { maker, constant })) return 1;
  const squashed = [a, b].map((value) => SQUASHING.has(makerOf(value, maker)?.operator ?? ''));
  if (squashed[0] === squashed[1]) return undefined;
  return squashed[0] ? 1 : 0;
}

/** Whether a Mul has two signals of equal rights. */
export function isProductOfSignals(view: NodeView): boolean {
  return signalInput(view) === undefined;
}

function makerOf(value: string, maker: NodeView['maker']): Node | undefined {
  const made = maker(value);
  if (made === undefined || made.domain !== '') return undefined;
  return CARRIERS.has(made.operator) ? makerOf(made.inputs[0]!, maker) : made;
}

function isFunctionOf(
  value: string,
  of: string,
  { maker, constant }: Pick<NodeView, 'maker' | 'constant'>,
): boolean {
  for (let current = value; ; ) {
    const made = maker(current);
    if (made === undefined || made.domain !== '') return false;
    if (!POINTWISE.has(made.operator) && !CARRIERS.has(made.operator)) return false;
    const signals = made.inputs.filter((input) => input !== '' && constant(input) === undefined);
    const [only] = signals;
    if (only === undefined || signals.length > 1) return false;
    if (only === of) return true;
    current = only;
  }
}

function backwardOfProduct(context: RuleContext): (string | undefined)[] {
  const relevance = context.signal(0)!;
  const needed = [0, 1].filter((input) => context.needs(input));
  const signal = needed.length === 1 ? needed[0] : signalInput(context);
  return [0, 1].map((input) => {
    if (!context.needs(input)) return undefined;
    if (signal === input) return toInput(context, relevance, input);
    if (signal !== undefined) return undefined;
    const half = context.emit('Mul', [relevance, context.builder.floats(0.5)]);
    return toInput(context, half, input);
  });
}

/**
 * Mul: the signal takes all relevance, what weighs it none (Arras et al. 2017, of the gates of an LSTM). `halves` is for
 * two signals of equal rights, each of which gets half, with a note.
 */
export const lrpMul = {
  gate: { name: 'mul.lrp-gate', operator: 'Mul', backward: backwardOfProduct },
  halves: {
    name: 'mul.lrp-halves',
    operator: 'Mul',
    backward: backwardOfProduct,
    note: 'of two signals gives half of the relevance to each',
  },
} satisfies Record<string, Rule>;
