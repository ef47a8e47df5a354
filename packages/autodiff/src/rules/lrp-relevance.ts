import type { Constant, Node } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import type { NodeView } from '../composite.js';
import type { RuleContext } from '../rule.js';
import { isReluLike } from './clip.js';
import { scalarLike } from './pointwise.js';

/**
 * R / (z + eps sign(z)), sign(0) = 1: what a layer hands on for each unit of contribution to z. A z that cancelled to
 * nothing takes its relevance with it, instead of dividing by zero.
 */
export function emitShare(context: RuleContext, relevance: string, z: string, epsilon: number): string {
  const { emit, node } = context;
  const like = node.outputs[0]!;
  const isPositive = emit('GreaterOrEqual', [z, scalarLike(context, like, 0)]);
  const shift = emit('Where', [
    isPositive,
    scalarLike(context, like, epsilon),
    scalarLike(context, like, -epsilon),
  ]);
  return emit('Div', [relevance, emit('Add', [z, shift])]);
}

/** Throws `wrong-use` for what is no positive float32. */
export function checkEpsilon(epsilon: number): number {
  const rounded = Math.fround(epsilon);
  if (rounded > 0 && Number.isFinite(rounded)) return epsilon;
  throw new UnitscopeError(
    'wrong-use',
    `epsilon must be a number above 0, not ${epsilon}; 1e-6 only keeps divisions sound`,
  );
}

const NEVER_NEGATIVE: ReadonlySet<string> = new Set([
  ...['Relu', 'Sigmoid', 'HardSigmoid', 'Softmax', 'Softplus', 'Abs', 'Exp', 'Sqrt'],
]);

/** Whose result is not negative where the first input is not. */
const KEEPS_FIRST: ReadonlySet<string> = new Set([
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'],
  ...['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin'],
  ...['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose', 'Identity', 'Dropout', 'Split', 'Slice'],
]);

/** Whose result is not negative where no input is. */
const KEEPS_ALL: ReadonlySet<string> = new Set(['Concat', 'Add', 'Sum', 'Mean', 'Mul', 'Max', 'Min']);

/** Whether a value is known to be nowhere below 0, as behind a ReLU. */
export function isNonNegative(
  value: string,
  view: Pick<NodeView, 'constant' | 'maker'>,
  known = new Map<string, boolean>(),
): boolean {
  const found = known.get(value);
  if (found !== undefined) return found;
  const made = view.maker(value);
  const constant = view.constant(value);
  const answer =
    constant !== undefined
      ? hasNoNegative(constant)
      : made !== undefined && made.domain === '' && isNonNegativeNode(made, view, known);
  known.set(value, answer);
  return answer;
}

function isNonNegativeNode(
  node: Node,
  view: Pick<NodeView, 'constant' | 'maker'>,
  known: Map<string, boolean>,
): boolean {
  const { operator, inputs } = node;
  if (NEVER_NEGATIVE.has(operator) || isReluLike(node, view.constant)) return true;
  if (KEEPS_FIRST.has(operator)) return isNonNegative(inputs[0]!, view, known);
  return KEEPS_ALL.has(operator) && inputs.every((input) => isNonNegative(input, view, known));
}

function hasNoNegative({ data }: Constant): boolean {
  for (const value of data) if (!(value >= 0)) return false;
  return true;
}
