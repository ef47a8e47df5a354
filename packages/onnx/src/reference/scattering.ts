import { stridesOf } from '@unitscope/tensor';
import { intAttribute, type Node, stringAttribute } from '../graph.js';
import { product, sumOffsets } from './indexing.js';
import { axisOf, nodeError, type Operator, required } from './operator.js';
import { indexOf } from './slicing.js';
import type { Value } from './value.js';

/** y[i][j] = x[i][indices[i][j]] along an axis. */
export const gatherElements: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const indices = required(node, inputs, 1);
  const places = elementPlaces(node, x, indices);
  const data = new Float64Array(places.length);
  for (let i = 0; i < data.length; i++) data[i] = x.data[places[i]!]!;
  return [{ dims: indices.dims, data, kind: x.kind }];
};

/** For each index the flat place in x: its own position, with the coordinate on the axis replaced by the index. */
function elementPlaces(node: Node, x: Value, indices: Value): Int32Array {
  const axis = axisOf(node, intAttribute(node, 'axis', 0), x.dims.length);
  const fits = (dim: number, a: number) => a === axis || dim <= x.dims[a]!;
  if (indices.dims.length !== x.dims.length || !indices.dims.every(fits)) {
    throw nodeError(
      'bad-input',
      node,
      `indices [${indices.dims.join(', ')}] reach beyond [${x.dims.join(', ')}]`,
    );
  }
  const strides = stridesOf(x.dims);
  const places = sumOffsets(
    indices.dims.map((dim, a) =>
      Int32Array.from({ length: dim }, (_, i) => (a === axis ? 0 : i * strides[a]!)),
    ),
  );
  for (let i = 0; i < places.length; i++) {
    places[i] = places[i]! + indexOf(node, indices.data[i]!, x.dims[axis]!) * strides[axis]!;
  }
  return places;
}

function combine(node: Node): (old: number, update: number) => number {
  const reduction = stringAttribute(node, 'reduction', 'none');
  switch (reduction) {
    case 'none':
      return (_, update) => update;
    case 'add':
      return (old, update) => old + update;
    case 'mul':
      return (old, update) => old * update;
    case 'max':
      return (old, update) => Math.max(old, update);
    case 'min':
      return (old, update) => Math.min(old, update);
    default:
      throw nodeError('bad-input', node, `reduction "${reduction}" is none of none, add, mul, max, min`);
  }
}

/** A copy of x with the updates put, or combined, at the places of the indices, in their order. */
export const scatterElements: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const indices = required(node, inputs, 1);
  const updates = required(node, inputs, 2);
  if (updates.data.length !== indices.data.length) {
    throw nodeError(
      'bad-input',
      node,
      `updates [${updates.dims.join(', ')}] for indices [${indices.dims.join(', ')}]`,
    );
  }
  const places = elementPlaces(node, x, indices);
  const combined = combine(node);
  const data = Float64Array.from(x.data);
  for (let i = 0; i < places.length; i++) {
    const place = places[i]!;
    data[place] = combined(data[place]!, updates.data[i]!);
  }
  return [{ dims: x.dims, data, kind: x.kind }];
};

interface Slices {
  /** Where in x each index tuple points. */
  readonly starts: readonly number[];
  /** The length of what it points at, and its dims. */
  readonly length: number;
  readonly tail: readonly number[];
}

/** Index tuples in the last axis of `indices`, pointing into x from axis `batchDims` on. */
function slicesOf(node: Node, x: Value, indices: Value, batchDims: number): Slices {
  const depth = indices.dims.at(-1);
  if (depth === undefined || depth + batchDims > x.dims.length) {
    throw nodeError(
      'bad-input',
      node,
      `indices [${indices.dims.join(', ')}] do not point into [${x.dims.join(', ')}]`,
    );
  }
  const strides = stridesOf(x.dims);
  const tail = x.dims.slice(batchDims + depth);
  const perBatch = product(indices.dims.slice(batchDims, -1));
  const batchSize = product(x.dims.slice(batchDims));
  const starts = Array.from({ length: product(indices.dims.slice(0, -1)) }, (_, tuple) => {
    let start = Math.floor(tuple / perBatch) * batchSize;
    for (let k = 0; k < depth; k++) {
      const axis = batchDims + k;
      start += indexOf(node, indices.data[tuple * depth + k]!, x.dims[axis]!) * strides[axis]!;
    }
    return start;
  });
  return { starts, length: product(tail), tail };
}

export const gatherND: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const indices = required(node, inputs, 1);
  const { starts, length, tail } = slicesOf(node, x, indices, intAttribute(node, 'batch_dims', 0));
  const data = new Float64Array(starts.length * length);
  starts.forEach((start, i) => {
    data.set(x.data.subarray(start, start + length), i * length);
  });
  return [{ dims: [...indices.dims.slice(0, -1), ...tail], data, kind: x.kind }];
};

export const scatterND: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const { starts, length } = slicesOf(node, x, required(node, inputs, 1), 0);
  const updates = required(node, inputs, 2);
  if (updates.data.length !== starts.length * length) {
    throw nodeError('bad-input', node, `updates [${updates.dims.join(', ')}] do not fit the indices`);
  }
  const combined = combine(node);
  const data = Float64Array.from(x.data);
  starts.forEach((start, i) => {
    for (let j = 0; j < length; j++) {
      data[start + j] = combined(data[start + j]!, updates.data[i * length + j]!);
    }
  });
  return [{ dims: x.dims, data, kind: x.kind }];
};
