import { intAttribute } from '../graph.js';
import { broadcastData, broadcastDims } from './indexing.js';
import { nodeError, type Operator, required } from './operator.js';
import { booleans, type Kind } from './value.js';

/** One output per input element; the kind stays unless another is given. */
export function unary(operation: (x: number) => number, kind?: Kind): Operator {
  return (node, inputs) => {
    const x = required(node, inputs, 0);
    const data = new Float64Array(x.data.length);
    for (let i = 0; i < data.length; i++) data[i] = operation(x.data[i]!);
    return [{ dims: x.dims, data, kind: kind ?? x.kind }];
  };
}

/** Two inputs that broadcast; `integer` replaces the operation where the first is of integers. */
function binary(
  operation: (a: number, b: number) => number,
  options: { readonly kind?: Kind; readonly integer?: (a: number, b: number) => number } = {},
): Operator {
  return (node, inputs) => {
    const a = required(node, inputs, 0);
    const b = required(node, inputs, 1);
    const dims = broadcastDims(node, a.dims, b.dims);
    const left = broadcastData(a, dims);
    const right = broadcastData(b, dims);
    const chosen = a.kind === 'int' && options.integer !== undefined ? options.integer : operation;
    const data = new Float64Array(left.length);
    for (let i = 0; i < data.length; i++) data[i] = chosen(left[i]!, right[i]!);
    return [{ dims, data, kind: options.kind ?? a.kind }];
  };
}

/** Any number of inputs that broadcast, folded from the left. */
function variadic(operation: (a: number, b: number) => number, mean = false): Operator {
  return (node, inputs) => {
    const first = required(node, inputs, 0);
    const dims = inputs.reduce<readonly number[]>(
      (joined, _, index) => broadcastDims(node, joined, required(node, inputs, index).dims),
      first.dims,
    );
    const data = Float64Array.from(broadcastData(first, dims));
    for (let index = 1; index < inputs.length; index++) {
      const other = broadcastData(required(node, inputs, index), dims);
      for (let i = 0; i < data.length; i++) data[i] = operation(data[i]!, other[i]!);
    }
    if (mean) for (let i = 0; i < data.length; i++) data[i] = data[i]! / inputs.length;
    return [{ dims, data, kind: first.kind }];
  };
}

export const add = binary((a, b) => a + b);
export const sub = binary((a, b) => a - b);
export const mul = binary((a, b) => a * b);
export const div = binary((a, b) => a / b, { integer: (a, b) => Math.trunc(a / b) });
export const pow = binary((a, b) => a ** b, { integer: (a, b) => Math.trunc(a ** b) });

/** fmod 1: the remainder with the sign of the dividend, as C's fmod; fmod 0: with the sign of the divisor. */
export const mod: Operator = (node, inputs, context) =>
  (intAttribute(node, 'fmod', 0) === 1 ? remainder : modulo)(node, inputs, context);
const remainder = binary((a, b) => a % b);
const modulo = binary((a, b) => a - b * Math.floor(a / b));

export const max = variadic((a, b) => Math.max(a, b));
export const min = variadic((a, b) => Math.min(a, b));
export const sum = variadic((a, b) => a + b);
export const mean = variadic((a, b) => a + b, true);

const truth = (holds: (a: number, b: number) => boolean) =>
  binary((a, b) => (holds(a, b) ? 1 : 0), { kind: 'bool' });
export const equal = truth((a, b) => a === b);
export const greater = truth((a, b) => a > b);
export const greaterOrEqual = truth((a, b) => a >= b);
export const less = truth((a, b) => a < b);
export const lessOrEqual = truth((a, b) => a <= b);
export const and = truth((a, b) => a !== 0 && b !== 0);
export const or = truth((a, b) => a !== 0 || b !== 0);
export const xor = truth((a, b) => (a !== 0) !== (b !== 0));

/** condition ? x : y, all three broadcast. */
export const where: Operator = (node, inputs) => {
  const condition = required(node, inputs, 0);
  const x = required(node, inputs, 1);
  const y = required(node, inputs, 2);
  const dims = broadcastDims(node, condition.dims, broadcastDims(node, x.dims, y.dims));
  const chooses = broadcastData(condition, dims);
  const left = broadcastData(x, dims);
  const right = broadcastData(y, dims);
  const data = new Float64Array(chooses.length);
  for (let i = 0; i < data.length; i++) data[i] = chooses[i] !== 0 ? left[i]! : right[i]!;
  return [{ dims, data, kind: x.kind }];
};

/** x < 0 ? slope x : x; the slope broadcasts to x. */
export const pRelu: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const slope = required(node, inputs, 1);
  if (broadcastDims(node, x.dims, slope.dims).join() !== x.dims.join()) {
    throw nodeError(
      'bad-input',
      node,
      `slope [${slope.dims.join(', ')}] does not broadcast to [${x.dims.join(', ')}]`,
    );
  }
  const slopes = broadcastData(slope, x.dims);
  const data = new Float64Array(x.data.length);
  for (let i = 0; i < data.length; i++) {
    const value = x.data[i]!;
    data[i] = value < 0 ? slopes[i]! * value : value;
  }
  return [{ dims: x.dims, data, kind: x.kind }];
};

export const not = unary((x) => (x === 0 ? 1 : 0), 'bool');
export const notANumber: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  return [
    booleans(
      x.dims,
      x.data.map((value) => (Number.isNaN(value) ? 1 : 0)),
    ),
  ];
};

/** To the nearest integer, halves to the even one. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return rest < 0.5 ? floor : floor + 1;
}
