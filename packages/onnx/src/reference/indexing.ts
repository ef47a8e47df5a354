import { stridesOf } from '@unitscope/tensor';
import type { Node } from '../graph.js';
import { nodeError } from './operator.js';
import type { ReferenceTensor, Value } from './value.js';

/** Marks, in a table of offsets, a position that is outside the tensor. */
export const OUTSIDE = -1;

/**
 * The offsets of all positions of a box, in C order, from one table of offsets per axis: the sum of the entries, or
 * OUTSIDE where one of them is.
 */
export function sumOffsets(tables: readonly Int32Array[]): Int32Array {
  let sums = Int32Array.of(0);
  for (const table of tables) {
    const next = new Int32Array(sums.length * table.length);
    let at = 0;
    for (let i = 0; i < sums.length; i++) {
      const sum = sums[i]!;
      for (let j = 0; j < table.length; j++) {
        const entry = table[j]!;
        next[at++] = sum < 0 || entry < 0 ? OUTSIDE : sum + entry;
      }
    }
    sums = next;
  }
  return sums;
}

/** 0, step, 2 step, … */
export function arithmetic(length: number, step: number): Int32Array {
  const table = new Int32Array(length);
  for (let i = 0; i < length; i++) table[i] = i * step;
  return table;
}

/** The tensor whose entry at (i, j, …) is the entry of `value` at (sources[0][i], sources[1][j], …); `fill` where OUTSIDE. */
export function pick(value: Value, sources: readonly ArrayLike<number>[], fill = 0): Value {
  const strides = stridesOf(value.dims);
  const tables = sources.map((source, axis) => {
    const stride = strides[axis]!;
    return Int32Array.from(source, (index) => (index < 0 ? OUTSIDE : index * stride));
  });
  const offsets = sumOffsets(tables);
  const data = new Float64Array(offsets.length);
  for (let i = 0; i < data.length; i++) {
    const offset = offsets[i]!;
    data[i] = offset < 0 ? fill : value.data[offset]!;
  }
  return { dims: sources.map((source) => source.length), data, kind: value.kind };
}

/** The dims two shapes broadcast to. Throws `bad-input` when they do not. */
export function broadcastDims(node: Node, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - (rank - a.length)] ?? 1;
    const right = b[axis - (rank - b.length)] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw nodeError(
        'bad-input',
        node,
        `dims [${a.join(', ')}] and [${b.join(', ')}] do not broadcast; sizes must be equal or 1`,
      );
    }
    return left === 1 ? right : left;
  });
}

/** Where each position of a box of `dims` reads a tensor of dims `from` that broadcasts to it. */
export function broadcastOffsets(from: readonly number[], dims: readonly number[]): Int32Array {
  const strides = stridesOf(from);
  const lead = dims.length - from.length;
  return sumOffsets(
    dims.map((dim, axis) =>
      arithmetic(dim, axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!),
    ),
  );
}

/** The data of a tensor broadcast to `dims`; its own array when nothing changes. */
export function broadcastData(value: ReferenceTensor, dims: readonly number[]): Float64Array {
  const size = product(dims);
  if (value.data.length === size) return value.data;
  const data = new Float64Array(size);
  if (value.data.length === 1) return data.fill(value.data[0]!);
  const offsets = broadcastOffsets(value.dims, dims);
  for (let i = 0; i < size; i++) data[i] = value.data[offsets[i]!]!;
  return data;
}

/** A tensor seen as outer x length x inner around one axis. */
export function around(
  dims: readonly number[],
  axis: number,
): { readonly outer: number; readonly length: number; readonly inner: number } {
  return { outer: product(dims.slice(0, axis)), length: dims[axis]!, inner: product(dims.slice(axis + 1)) };
}

export function product(dims: readonly number[]): number {
  return dims.reduce((size, dim) => size * dim, 1);
}
