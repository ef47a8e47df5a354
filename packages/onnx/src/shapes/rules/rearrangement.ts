import { stridesOf } from '@unitscope/tensor';
import { type Dim, intAttribute, intsAttribute } from '../../graph.js';
import { MOST_AXES, type ShapeContext, type ShapeRule } from '../context.js';
import { broadcastElements, numericDims, strided } from '../fold.js';
import type { Element, Value } from '../value.js';

/** Input 0 with other dims and the same elements in the same order. */
function viewed(context: ShapeContext, dims: readonly Dim[] | undefined): Value {
  const { type, constant, elements } = context.input(0);
  const sizes = numericDims(dims ?? ['unknown']);
  return {
    type,
    dims,
    elements,
    constant: constant === undefined || sizes === undefined ? undefined : { ...constant, dims: sizes },
  };
}

const identity: ShapeRule = (context) => [viewed(context, context.dims(0))];

const transpose: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  if (dims === undefined) return [{ type, dims }];
  const perm = intsAttribute(context.node, 'perm') ?? [...dims.keys()].reverse();
  if (perm.length !== dims.length) {
    throw context.bad(`perm [${perm.join(', ')}] does not fit the dims [${dims.join(', ')}]`);
  }
  const axes = context.axes(perm, dims.length);
  const result = { type, dims: axes.map((axis) => dims[axis]!) };
  const sizes = numericDims(dims);
  const elements = sizes !== undefined && context.canFold(sizes) ? context.elements(0) : undefined;
  if (sizes === undefined || elements === undefined) return [result];
  const strides = stridesOf(sizes);
  const order = { dims: axes.map((axis) => sizes[axis]!), strides: axes.map((axis) => strides[axis]!) };
  return [{ ...result, elements: strided(elements, order.dims, order.strides) }];
};

const flatten: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  if (dims === undefined) return [{ type, dims: [context.fresh(0), context.fresh(1)] }];
  const given = intAttribute(context.node, 'axis', 1);
  // The axis may lie behind the last one.
  const axis = given === dims.length ? given : context.axis(given, dims.length);
  const { symbols } = context;
  return [viewed(context, [symbols.product(dims.slice(0, axis)), symbols.product(dims.slice(axis))])];
};

const squeeze: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  const given = context.integers('axes', 1);
  if (dims === undefined || given === 'unknown') return [{ type, dims: undefined }];
  if (given === 'absent') {
    // Whether a size known at run time only is 1 decides the rank.
    if (dims.some((dim) => typeof dim === 'string')) return [{ type, dims: undefined }];
    return [
      viewed(
        context,
        dims.filter((dim) => dim !== 1),
      ),
    ];
  }
  const axes = context.axes(given, dims.length);
  for (const axis of axes) context.same(dims[axis]!, 1, `axis ${axis} is dropped`);
  return [
    viewed(
      context,
      dims.filter((_, axis) => !axes.includes(axis)),
    ),
  ];
};

const unsqueeze: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  const given = context.integers('axes', 1);
  if (given === 'absent') throw context.bad('axes is missing');
  if (dims === undefined || given === 'unknown') return [{ type, dims: undefined }];
  if (given.length > MOST_AXES) throw context.bad(`${given.length} axes cannot be added`);
  const rank = dims.length + given.length;
  const axes = context.axes(given, rank);
  const rest = dims.values();
  return [
    viewed(
      context,
      Array.from({ length: rank }, (_, axis): Dim => (axes.includes(axis) ? 1 : rest.next().value!)),
    ),
  ];
};

/** Target dims given by input 1, of which elements may be unknown; undefined where not even their number is known. */
export function targetDims(context: ShapeContext, input: number): readonly Element[] | undefined {
  const shape = context.ranked(input, 1, 1);
  const count = shape?.[0];
  if (typeof count !== 'number') return undefined;
  if (count > MOST_AXES) throw context.bad(`${count} axes are asked for, ${MOST_AXES} are the most`);
  return context.elements(input) ?? new Array<Element>(count).fill(undefined);
}

const reshape: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  const target = targetDims(context, 1);
  if (target === undefined) return [{ type, dims: undefined }];
  const copies = intAttribute(context.node, 'allowzero', 0) === 0;
  const open: number[] = [];
  let inferred = false;
  const result = target.map((element, axis): Dim => {
    if (element === 0 && copies) {
      if (dims === undefined) return context.fresh(axis);
      if (axis < dims.length) return dims[axis]!;
      throw context.bad(`the shape copies axis ${axis} of dims [${dims.join(', ')}]`);
    }
    if (element === -1) {
      if (inferred) throw context.bad(`the shape [${target.join(', ')}] has more than one -1`);
      inferred = true;
    }
    const size = typeof element === 'bigint' ? Number(element) : element;
    if (typeof size === 'number' && size !== -1) return size;
    if (typeof size === 'string' && context.symbols.kind(size) === 'size') return size;
    open.push(axis);
    return context.fresh(axis);
  });
  if (dims === undefined) return [{ type, dims: result }];

  const from = `dims [${dims.join(', ')}] cannot become [${target.map((size) => size ?? '?').join(', ')}]`;
  const whole = context.symbols.product(dims);
  const rest = context.symbols.product(result.filter((_, axis) => !open.includes(axis)));
  const ratio = context.symbols.ratio(whole, rest);
  const [axis] = open;
  if (axis !== undefined && open.length === 1 && ratio !== undefined) {
    // One open axis, whether -1 or computed at run time, is what the others leave.
    if (typeof ratio === 'number' && !Number.isInteger(ratio)) throw context.bad(from);
    result[axis] = ratio;
  }
  if (open.length === 0 && typeof ratio === 'number' && ratio !== 1) throw context.bad(from);
  if (rest === 0 && typeof whole === 'number' && whole !== 0) throw context.bad(from);
  return [viewed(context, result)];
};

const expand: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  const target = targetDims(context, 1);
  if (dims === undefined || target === undefined) return [{ type, dims: undefined }];
  const wanted = target.map((element, axis): Dim => {
    const size = typeof element === 'bigint' ? Number(element) : element;
    if (size !== undefined) return size;
    // Beside a size other than 1 an unknown one must be 1 or the same.
    const own = dims[axis - target.length + dims.length];
    return own !== undefined && own !== 1 ? own : context.fresh(axis);
  });
  const result = context.broadcast(dims, wanted);
  return [{ type, dims: result, elements: broadcastElements(context, 0, result) }];
};

const tile: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  const repeats = targetDims(context, 1);
  if (dims === undefined || repeats === undefined) return [{ type, dims: undefined }];
  if (repeats.length !== dims.length) {
    throw context.bad(`${repeats.length} repeats are given for dims [${dims.join(', ')}]`);
  }
  return [
    {
      type,
      dims: dims.map((dim, axis) => {
        const times = repeats[axis];
        if (times === undefined) return context.fresh(axis);
        return context.symbols.product([dim, typeof times === 'bigint' ? Number(times) : times]);
      }),
    },
  ];
};

/** blocksize^2 channels become a block of positions, or the reverse. */
function depthSpace(toSpace: boolean): ShapeRule {
  return (context) => {
    const type = context.type(0);
    const dims = context.ranked(0, 4, 4);
    const block = intAttribute(context.node, 'blocksize') ?? 0;
    if (block < 1) throw context.bad(`blocksize ${block} must be at least 1`);
    if (dims === undefined) return [{ type, dims }];
    const { symbols } = context;
    const divided = (dim: Dim, by: number): Dim => {
      const size = symbols.quotient(dim, by);
      if (size !== undefined) return size;
      if (typeof dim === 'string') return symbols.expression(`(${dim}/${by})`, 'size', `${dim}/${by}`);
      throw context.bad(`dims [${dims.join(', ')}] cannot be divided into blocks of ${block}`);
    };
    const [n, c, h, w] = dims as readonly [Dim, Dim, Dim, Dim];
    const result = toSpace
      ? [n, divided(c, block * block), symbols.product([h, block]), symbols.product([w, block])]
      : [n, symbols.product([c, block * block]), divided(h, block), divided(w, block)];
    return [{ type, dims: result }];
  };
}

export const REARRANGEMENT_RULES: readonly (readonly [string, ShapeRule])[] = [
  ['Identity', identity],
  ['Transpose', transpose],
  ['Flatten', flatten],
  ['Squeeze', squeeze],
  ['Unsqueeze', unsqueeze],
  ['Reshape', reshape],
  ['Expand', expand],
  ['Tile', tile],
  ['DepthToSpace', depthSpace(true)],
  ['SpaceToDepth', depthSpace(false)],
];
