import { stridesOf } from '@unitscope/tensor';
import { intAttribute, intsAttribute, type Node, stringAttribute } from '../graph.js';
import { arithmetic, broadcastData, broadcastDims, product, sumOffsets } from './indexing.js';
import { axisOf, intsOf, nodeError, type Operator, required } from './operator.js';
import type { Value } from './value.js';

function reshaped(node: Node, x: Value, dims: readonly number[]): Value {
  const whole = dims.every((dim) => Number.isInteger(dim) && dim >= 0);
  if (!whole || product(dims) !== x.data.length) {
    throw nodeError('bad-input', node, `dims [${x.dims.join(', ')}] cannot be seen as [${dims.join(', ')}]`);
  }
  return { dims, data: x.data, kind: x.kind };
}

/** 0 keeps the input's size (unless allowzero), one -1 takes what is left. */
export const reshape: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const wanted = intsOf(node, 'shape', inputs[1]);
  if (wanted === undefined) throw nodeError('bad-input', node, 'the shape is missing');
  const allowZero = intAttribute(node, 'allowzero', 0) !== 0;
  const dims = wanted.map((dim, axis) => (dim === 0 && !allowZero ? (x.dims[axis] ?? 0) : dim));
  const open = dims.indexOf(-1);
  if (open >= 0) dims[open] = x.data.length / product(dims.filter((_, axis) => axis !== open));
  return [reshaped(node, x, dims)];
};

/** A matrix: the axes before `axis`, and the rest. */
export const flatten: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const rank = x.dims.length;
  const stated = intAttribute(node, 'axis', 1);
  const axis = stated === rank ? rank : axisOf(node, stated, rank);
  return [reshaped(node, x, [product(x.dims.slice(0, axis)), product(x.dims.slice(axis))])];
};

export const squeeze: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const stated = intsOf(node, 'axes', inputs[1]);
  const axes = stated?.map((axis) => axisOf(node, axis, x.dims.length));
  const dims = x.dims.filter((dim, axis) => (axes === undefined ? dim !== 1 : !axes.includes(axis)));
  return [reshaped(node, x, dims)];
};

export const unsqueeze: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const stated = intsOf(node, 'axes', inputs[1]);
  if (stated === undefined) throw nodeError('bad-input', node, 'the axes are missing');
  const rank = x.dims.length + stated.length;
  const axes = stated.map((axis) => axisOf(node, axis, rank));
  const left = x.dims.values();
  const dims = Array.from({ length: rank }, (_, axis) =>
    axes.includes(axis) ? 1 : (left.next().value ?? 1),
  );
  return [reshaped(node, x, dims)];
};

export const identity: Operator = (node, inputs) => [required(node, inputs, 0)];

export function transposed(x: Value, order: readonly number[]): Value {
  const strides = stridesOf(x.dims);
  const offsets = sumOffsets(order.map((axis) => arithmetic(x.dims[axis]!, strides[axis]!)));
  const data = new Float64Array(x.data.length);
  for (let i = 0; i < data.length; i++) data[i] = x.data[offsets[i]!]!;
  return { dims: order.map((axis) => x.dims[axis]!), data, kind: x.kind };
}

/** Axis i of the output is axis perm[i] of the input; all reversed by default. */
export const transpose: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const order = intsAttribute(node, 'perm') ?? [...x.dims.keys()].reverse();
  if ([...order].sort((a, b) => a - b).join() !== [...x.dims.keys()].join()) {
    throw nodeError('bad-input', node, `perm [${order.join(', ')}] is no order of ${x.dims.length} axes`);
  }
  return [transposed(x, order)];
};

/** Broadcasting to the shape in input 1, in both directions. */
export const expand: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const dims = broadcastDims(node, x.dims, Array.from(required(node, inputs, 1).data));
  return [{ dims, data: broadcastData(x, dims), kind: x.kind }];
};

export const concat: Operator = (node, inputs) => {
  const parts = inputs.map((_, index) => required(node, inputs, index));
  const first = required(node, inputs, 0);
  const axis = axisOf(node, intAttribute(node, 'axis', 1), first.dims.length);
  for (const part of parts) {
    if (
      part.dims.length !== first.dims.length ||
      part.dims.some((dim, a) => a !== axis && dim !== first.dims[a])
    ) {
      throw nodeError(
        'bad-input',
        node,
        `dims [${first.dims.join(', ')}] and [${part.dims.join(', ')}] cannot be joined along axis ${axis}`,
      );
    }
  }
  const dims = first.dims.with(
    axis,
    parts.reduce((size, part) => size + part.dims[axis]!, 0),
  );
  const row = product(dims.slice(axis));
  const data = new Float64Array(product(dims));
  let start = 0;
  for (const part of parts) {
    const piece = product(part.dims.slice(axis));
    for (let o = 0; o * row < data.length; o++) {
      data.set(part.data.subarray(o * piece, (o + 1) * piece), o * row + start);
    }
    start += piece;
  }
  return [{ dims, data, kind: first.kind }];
};

/** Space from channels: DCR reads them as (block row, block column, channel), CRD as (channel, row, column). */
export const depthToSpace: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const block = intAttribute(node, 'blocksize', 1);
  const mode = stringAttribute(node, 'mode', 'DCR');
  const [n = 1, c = 0, h = 0, w = 0] = x.dims;
  const depth = c / (block * block);
  const crd = mode === 'CRD';
  if (x.dims.length !== 4 || !Number.isInteger(depth) || (!crd && mode !== 'DCR')) {
    throw nodeError('bad-input', node, `blocks of ${block} (${mode}) from dims [${x.dims.join(', ')}]`);
  }
  const split = reshaped(node, x, crd ? [n, depth, block, block, h, w] : [n, block, block, depth, h, w]);
  const moved = transposed(split, crd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]);
  return [reshaped(node, moved, [n, depth, h * block, w * block])];
};

/** The inverse of DepthToSpace in mode DCR. */
export const spaceToDepth: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const block = intAttribute(node, 'blocksize', 1);
  const [n = 1, c = 0, h = 0, w = 0] = x.dims;
  if (x.dims.length !== 4 || h % block !== 0 || w % block !== 0) {
    throw nodeError('bad-input', node, `blocks of ${block} from dims [${x.dims.join(', ')}]`);
  }
  const split = reshaped(node, x, [n, c, h / block, block, w / block, block]);
  const moved = transposed(split, [0, 3, 5, 1, 2, 4]);
  return [reshaped(node, moved, [n, c * block * block, h / block, w / block])];
};
