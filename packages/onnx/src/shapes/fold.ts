import { stridesOf } from '@unitscope/tensor';
import type { Dim, ElementType } from '../graph.js';
import type { Binary, Unary } from './arithmetic.js';
import type { ShapeContext } from './context.js';
import { type Element, fit, isInteger } from './value.js';

/** Dims without symbols, or undefined. */
export function numericDims(dims: readonly Dim[]): readonly number[] | undefined {
  const sizes = dims.filter((dim) => typeof dim === 'number');
  return sizes.length === dims.length ? sizes : undefined;
}

/** Reads elements in the order of `dims` where a step along axis i moves by `strides[i]`, starting at `offset`. */
export function strided(
  elements: readonly Element[],
  dims: readonly number[],
  strides: readonly number[],
  offset = 0,
): readonly Element[] {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const result: Element[] = [];
  const index = new Array<number>(dims.length).fill(0);
  let at = offset;
  while (result.length < count) {
    result.push(elements[at]);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      at += strides[axis]!;
      if (index[axis]! < dims[axis]!) break;
      at -= index[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/** The strides with which a tensor of `dims` is read when it is broadcast to `target`. */
export function broadcastStrides(dims: readonly number[], target: readonly number[]): readonly number[] {
  const strides = stridesOf(dims);
  const extra = target.length - dims.length;
  return target.map((_, axis) => (axis < extra || dims[axis - extra] === 1 ? 0 : strides[axis - extra]!));
}

/** The elements of an input broadcast to `target`, or undefined where they are not known. */
export function broadcastElements(
  context: ShapeContext,
  input: number,
  target: readonly Dim[],
): readonly Element[] | undefined {
  const dims = numericDims(context.dims(input) ?? ['unknown']);
  const sizes = numericDims(target);
  if (dims === undefined || sizes === undefined || !context.canFold(sizes)) return undefined;
  const elements = context.elements(input);
  return elements === undefined ? undefined : strided(elements, sizes, broadcastStrides(dims, sizes));
}

export function foldUnary(
  context: ShapeContext,
  compute: Unary,
  type: ElementType | undefined,
): readonly Element[] | undefined {
  if (!context.canFold(context.dims(0))) return undefined;
  return context.elements(0)?.map((element) => fit(compute(element, context.symbols), type));
}

export function foldBinary(
  context: ShapeContext,
  compute: Binary,
  dims: readonly Dim[],
  type: ElementType | undefined,
): readonly Element[] | undefined {
  let result = broadcastElements(context, 0, dims);
  const integer = isInteger(context.type(0));
  for (let input = 1; input < context.inputCount && result !== undefined; input++) {
    const next = broadcastElements(context, input, dims);
    result =
      next && result.map((element, i) => fit(compute(element, next[i], context.symbols, integer), type));
  }
  return result;
}
