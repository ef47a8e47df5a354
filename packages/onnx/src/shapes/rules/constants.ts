import { layoutOf } from '../../element-types.js';
import {
  type Attribute,
  type Constant,
  type Dim,
  type ElementType,
  intAttribute,
  tensorAttribute,
} from '../../graph.js';
import type { ShapeRule } from '../context.js';
import { foldUnary } from '../fold.js';
import { type Element, elementsOfConstant, fit, isInteger } from '../value.js';
import { targetDims } from './rearrangement.js';

/** Attributes are numbers, so the largest int64 arrives as 2^63, which would become negative. */
function int64From(value: number): bigint {
  return value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(value);
}

/** The constant an attribute of the Constant operator stands for. */
function constantFrom({ kind, value }: Attribute): Constant | undefined {
  switch (kind) {
    case 'tensor':
      return value;
    case 'float':
      return { type: 'float32', dims: [], data: Float32Array.of(value) };
    case 'floats':
      return { type: 'float32', dims: [value.length], data: Float32Array.from(value) };
    case 'int':
      return { type: 'int64', dims: [], data: BigInt64Array.of(int64From(value)) };
    case 'ints':
      return { type: 'int64', dims: [value.length], data: BigInt64Array.from(value, int64From) };
    default:
      return undefined;
  }
}

const constant: ShapeRule = ({ node }) => {
  for (const [name, attribute] of node.attributes) {
    if (!name.startsWith('value')) continue;
    if (attribute.kind === 'string') return [{ type: 'string', dims: [] }];
    if (attribute.kind === 'strings') return [{ type: 'string', dims: [attribute.value.length] }];
    const known = constantFrom(attribute);
    if (known !== undefined) return [{ type: known.type, dims: known.dims, constant: known }];
  }
  return [{ type: undefined, dims: undefined }];
};

/** Fills a shape with one number, float32 0 where none is given. */
const constantOfShape: ShapeRule = (context) => {
  const value = tensorAttribute(context.node, 'value');
  const type: ElementType = value?.type ?? 'float32';
  const target = targetDims(context, 0);
  if (target === undefined) return [{ type, dims: undefined }];
  const dims = target.map(
    (size, axis): Dim => (typeof size === 'bigint' ? Number(size) : (size ?? context.fresh(axis))),
  );
  const filling = value === undefined ? [0] : value.data.length === 1 ? elementsOfConstant(value) : undefined;
  // A negative size is refused by the check of the dims that follows.
  if (filling === undefined || dims.some((dim) => typeof dim === 'string' || dim < 0))
    return [{ type, dims }];
  if (!context.canFold(dims)) return [{ type, dims }];
  const count = dims.reduce((product: number, dim) => product * Number(dim), 1);
  return [{ type, dims, elements: new Array<Element>(count).fill(filling[0]) }];
};

/** The dims from `start` to `end`, which set 15 added; both may count from the back and are clamped. */
const shape: ShapeRule = (context) => {
  const dims = context.dims(0);
  if (dims === undefined) return [{ type: 'int64', dims: [context.fresh(0)] }];
  const elements = dims.slice(
    intAttribute(context.node, 'start', 0),
    intAttribute(context.node, 'end', dims.length),
  );
  return [{ type: 'int64', dims: [elements.length], elements }];
};

const size: ShapeRule = (context) => {
  const dims = context.dims(0);
  return [{ type: 'int64', dims: [], elements: [dims && context.symbols.product(dims)] }];
};

const cast: ShapeRule = (context) => {
  const { type: from, dims } = context.input(0);
  const type = layoutOf(intAttribute(context.node, 'to', 0))?.type;
  if (type === from) return [context.input(0)];
  const converted = (element: Element): Element => {
    if (type === 'bool') return typeof element === 'number' ? Number(element !== 0) : undefined;
    return typeof element === 'number' && isInteger(type) ? Math.trunc(element) : element;
  };
  const convert = (element: Element): Element => {
    // Integers beyond 2^53 fit no type but their own; the name of a size is kept where the type can hold it.
    if (typeof element === 'bigint') return undefined;
    return typeof element === 'string' && from === 'bool' ? undefined : converted(element);
  };
  const kept =
    type !== undefined && (isInteger(type) || type === 'bool' || type === 'float32' || type === 'float64');
  return [{ type, dims, elements: kept ? foldUnary(context, convert, type) : undefined }];
};

const castLike: ShapeRule = (context) => [{ type: context.type(1), dims: context.dims(0) }];

/** ceil((limit - start) / delta) numbers, at least none. */
const range: ShapeRule = (context) => {
  const type = context.type(0);
  const [start, limit, delta] = [0, 1, 2].map((input) => context.elements(input)?.[0]);
  if (delta === 0) throw context.bad('delta is 0');
  if (typeof start !== 'number' || typeof limit !== 'number' || typeof delta !== 'number') {
    const whole =
      start === 0 && delta === 1 && typeof limit === 'string' && context.symbols.kind(limit) === 'size';
    return [{ type, dims: [whole ? limit : context.fresh(0)] }];
  }
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  const fold = isInteger(type) && context.canFold([count]);
  const elements = fold ? Array.from({ length: count }, (_, i) => fit(start + i * delta, type)) : undefined;
  return [{ type, dims: [count], elements }];
};

const eyeLike: ShapeRule = (context) => {
  const dtype = intAttribute(context.node, 'dtype');
  return [
    { type: dtype === undefined ? context.type(0) : layoutOf(dtype)?.type, dims: context.ranked(0, 2, 2) },
  ];
};

export const CONSTANT_RULES: readonly (readonly [string, ShapeRule])[] = [
  ['Constant', constant],
  ['ConstantOfShape', constantOfShape],
  ['Shape', shape],
  ['Size', size],
  ['Cast', cast],
  ['CastLike', castLike],
  ['Range', range],
  ['EyeLike', eyeLike],
];
