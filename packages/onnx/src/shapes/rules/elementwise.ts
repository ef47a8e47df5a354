import type { ElementType } from '../../graph.js';
import { intAttribute } from '../../graph.js';
import * as arithmetic from '../arithmetic.js';
import type { ShapeContext, ShapeRule } from '../context.js';
import { broadcastElements, foldBinary, foldUnary } from '../fold.js';
import type { Value } from '../value.js';

/** The output has the dims and, unless `type` is given, the type of input 0. */
function unary(compute?: arithmetic.Unary, type?: ElementType): ShapeRule {
  return (context) => {
    const result = { type: type ?? context.type(0), dims: context.dims(0) };
    if (compute === undefined) return [result];
    return [{ ...result, elements: foldUnary(context, compute, result.type) }];
  };
}

/** The output has the broadcast dims of all inputs. */
function broadcasting(compute?: arithmetic.Binary, type?: ElementType): ShapeRule {
  return (context) => {
    const dims = broadcastInputs(context);
    const result: Value = { type: type ?? context.type(0), dims };
    if (compute === undefined || dims === undefined) return [result];
    return [{ ...result, elements: foldBinary(context, compute, dims, result.type) }];
  };
}

function broadcastInputs(context: ShapeContext): Value['dims'] {
  let dims = context.dims(0);
  for (let input = 1; input < context.inputCount; input++) {
    const next = context.dims(input);
    dims = dims === undefined || next === undefined ? undefined : context.broadcast(dims, next);
  }
  return dims;
}

const where: ShapeRule = (context) => {
  const dims = broadcastInputs(context);
  const result: Value = { type: context.type(1), dims };
  if (dims === undefined) return [result];
  const condition = broadcastElements(context, 0, dims);
  const chosen = condition && broadcastElements(context, 1, dims);
  const other = chosen && broadcastElements(context, 2, dims);
  const elements =
    other &&
    condition.map((holds, i) => {
      if (holds === undefined) return chosen[i] === other[i] ? chosen[i] : undefined;
      return holds === 0 ? other[i] : chosen[i];
    });
  return [{ ...result, elements }];
};

const modulo: ShapeRule = (context) =>
  broadcasting(intAttribute(context.node, 'fmod', 0) === 1 ? arithmetic.floatModulo : arithmetic.modulo)(
    context,
  );

/** PRelu's slope is broadcast to X, never the other way round. */
const prelu: ShapeRule = (context) => {
  const dims = context.dims(0);
  const slope = context.dims(1);
  if (dims !== undefined && slope !== undefined) {
    const both = context.broadcast(dims, slope);
    const grown =
      both.length > dims.length || both.some((dim, axis) => dim !== dims[axis] && dims[axis] === 1);
    if (grown) throw context.bad(`the slope cannot be broadcast to X (inputs ${context.inputDims()})`);
  }
  return [{ type: context.type(0), dims }];
};

/** Dropout: the mask is of X's type before set 10, bool since. */
const dropout: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  return [
    { type, dims },
    { type: context.opset < 10 ? type : 'bool', dims },
  ];
};

const sameAsInput = unary();

export const ELEMENTWISE_RULES: readonly (readonly [string, ShapeRule])[] = [
  ...[
    'Relu',
    'LeakyRelu',
    'ThresholdedRelu',
    'Elu',
    'Celu',
    'Selu',
    'Clip',
    'Sigmoid',
    'HardSigmoid',
    'HardSwish',
    'Mish',
    'Tanh',
    'Softplus',
    'Softsign',
    'Shrink',
    'Erf',
    'Gelu',
    'Softmax',
    'LogSoftmax',
    'Hardmax',
    'Exp',
    'Log',
    'Sin',
    'Cos',
    'Tan',
    'Asin',
    'Acos',
    'Atan',
    'Sinh',
    'Cosh',
    'Asinh',
    'Acosh',
    'Atanh',
    'Round',
    'CumSum',
    'Trilu',
  ].map((operator) => [operator, sameAsInput] as const),
  ['Neg', unary(arithmetic.negate)],
  ['Abs', unary(arithmetic.absolute)],
  ['Sign', unary(arithmetic.sign)],
  ['Floor', unary(arithmetic.floor)],
  ['Ceil', unary(arithmetic.ceil)],
  ['Sqrt', unary(arithmetic.squareRoot)],
  ['Reciprocal', unary(arithmetic.reciprocal)],
  ['Not', unary(arithmetic.not, 'bool')],
  ['IsNaN', unary(undefined, 'bool')],
  ['IsInf', unary(undefined, 'bool')],
  ['Add', broadcasting(arithmetic.add)],
  ['Sub', broadcasting(arithmetic.subtract)],
  ['Mul', broadcasting(arithmetic.multiply)],
  ['Div', broadcasting(arithmetic.divide)],
  ['Mod', modulo],
  ['Pow', broadcasting()],
  ['Min', broadcasting(arithmetic.minimum)],
  ['Max', broadcasting(arithmetic.maximum)],
  ['Sum', broadcasting(arithmetic.add)],
  ['Mean', broadcasting()],
  ['Equal', broadcasting(arithmetic.equal, 'bool')],
  ['Less', broadcasting(arithmetic.less, 'bool')],
  ['LessOrEqual', broadcasting(arithmetic.lessOrEqual, 'bool')],
  ['Greater', broadcasting(arithmetic.greater, 'bool')],
  ['GreaterOrEqual', broadcasting(arithmetic.greaterOrEqual, 'bool')],
  ['And', broadcasting(arithmetic.and, 'bool')],
  ['Or', broadcasting(arithmetic.or, 'bool')],
  ['Xor', broadcasting(arithmetic.exclusiveOr, 'bool')],
  ['Where', where],
  ['PRelu', prelu],
  ['Dropout', dropout],
];
