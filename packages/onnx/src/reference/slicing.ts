import { floatAttribute, intAttribute, type Node, stringAttribute } from '../graph.js';
import { OUTSIDE, pick, product } from './indexing.js';
import { axisOf, intsOf, nodeError, type Operator, required, scalarOf } from './operator.js';
import type { Value } from './value.js';

/** Per axis the positions 0, 1, 2, …: the whole tensor, for `pick`. */
function everything(dims: readonly number[]): number[][] {
  return dims.map((dim) => range(0, dim));
}

function range(start: number, end: number, step = 1): number[] {
  const length = Math.max(0, Math.ceil((end - start) / step));
  return Array.from({ length }, (_, i) => start + i * step);
}

/** x[start:end:step] on the given axes, as in numpy; bounds are attributes up to version 9, inputs from 10. */
export const slice: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const starts = intsOf(node, 'starts', inputs[1]);
  const ends = intsOf(node, 'ends', inputs[2]);
  if (starts === undefined || ends === undefined || starts.length !== ends.length) {
    throw nodeError('bad-input', node, 'starts and ends must be lists of one length');
  }
  const axes = intsOf(node, 'axes', inputs[3]) ?? starts.map((_, i) => i);
  const steps = inputs[4] === undefined ? starts.map(() => 1) : Array.from(inputs[4].data);
  const sources = everything(x.dims);
  starts.forEach((start, i) => {
    const axis = axisOf(node, axes[i]!, x.dims.length);
    const size = x.dims[axis]!;
    const step = steps[i]!;
    if (step === 0) throw nodeError('bad-input', node, 'a step of 0');
    const bounded = (position: number) => {
      const at = position < 0 ? position + size : position;
      return step > 0 ? Math.min(Math.max(at, 0), size) : Math.min(Math.max(at, -1), size - 1);
    };
    sources[axis] = range(bounded(start), bounded(ends[i]!), step);
  });
  return [pick(x, sources)];
};

/** Consecutive parts along an axis: of stated sizes, or equal with a smaller last one. */
export const split: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const axis = axisOf(node, intAttribute(node, 'axis', 0), x.dims.length);
  const size = x.dims[axis]!;
  const parts = intAttribute(node, 'num_outputs', node.outputs.length);
  const chunk = Math.ceil(size / parts);
  const sizes =
    intsOf(node, 'split', inputs[1]) ??
    Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(chunk, size - i * chunk)));
  if (sizes.reduce((total, part) => total + part, 0) !== size || sizes.length < node.outputs.length) {
    throw nodeError('bad-input', node, `sizes [${sizes.join(', ')}] do not split an axis of size ${size}`);
  }
  let start = 0;
  return sizes.map((part) => {
    const sources = everything(x.dims);
    sources[axis] = range(start, start + part);
    start += part;
    return pick(x, sources);
  });
};

/** Negative padding crops. Amounts are an attribute up to version 10, an input from 11. */
export const pad: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const rank = x.dims.length;
  const pads = intsOf(node, 'pads', inputs[1]);
  const axes =
    inputs[3] === undefined ? range(0, rank) : Array.from(inputs[3].data, (axis) => axisOf(node, axis, rank));
  if (pads?.length !== 2 * axes.length) {
    throw nodeError('bad-input', node, `pads needs ${2 * axes.length} entries, has ${pads?.length ?? 0}`);
  }
  const mode = stringAttribute(node, 'mode', 'constant');
  const fill = inputs[2] === undefined ? floatAttribute(node, 'value', 0) : scalarOf(node, inputs[2]);
  const sources = everything(x.dims);
  axes.forEach((axis, i) => {
    const size = x.dims[axis]!;
    const places = range(-pads[i]!, size + pads[i + axes.length]!);
    sources[axis] = places.map((at) => (at >= 0 && at < size ? at : beyond(node, mode, at, size)));
  });
  return [pick(x, sources, fill)];
};

/** What a position outside an axis repeats. */
function beyond(node: Node, mode: string, at: number, size: number): number {
  switch (mode) {
    case 'constant':
      return OUTSIDE;
    case 'edge':
      return at < 0 ? 0 : size - 1;
    case 'wrap':
      return ((at % size) + size) % size;
    case 'reflect': {
      if (size === 1) return 0;
      const period = 2 * (size - 1);
      const phase = ((at % period) + period) % period;
      return phase < size ? phase : period - phase;
    }
    default:
      throw nodeError('unsupported', node, `mode "${mode}" is none of constant, edge, reflect, wrap`);
  }
}

export const tile: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const repeats = required(node, inputs, 1).data;
  if (repeats.length !== x.dims.length) {
    throw nodeError('bad-input', node, `${repeats.length} repeats for ${x.dims.length} axes`);
  }
  return [
    pick(
      x,
      x.dims.map((dim, axis) => range(0, dim * repeats[axis]!).map((at) => at % dim)),
    ),
  ];
};

/** Entries along an axis, in the order of the indices; negative ones count from the end. */
export const gather: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const indices = required(node, inputs, 1);
  const axis = axisOf(node, intAttribute(node, 'axis', 0), x.dims.length);
  const sources: ArrayLike<number>[] = everything(x.dims);
  sources[axis] = Array.from(indices.data, (index) => indexOf(node, index, x.dims[axis]!));
  const picked = pick(x, sources);
  const dims = x.dims.toSpliced(axis, 1, ...indices.dims);
  return [{ dims, data: picked.data, kind: x.kind }];
};

/** An index counted from the front. */
export function indexOf(node: Node, index: number, size: number): number {
  if (!(index >= -size && index < size)) {
    throw nodeError('bad-input', node, `index ${index} is outside an axis of size ${size}`);
  }
  return index < 0 ? index + size : index;
}

/** The upper or lower triangle of the last two axes, zero elsewhere. */
export const trilu: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const shift = inputs[1] === undefined ? 0 : scalarOf(node, inputs[1]);
  const upper = intAttribute(node, 'upper', 1) !== 0;
  const [rows, columns] = [x.dims.at(-2), x.dims.at(-1)];
  if (rows === undefined || columns === undefined) {
    throw nodeError('bad-input', node, `needs matrices, got dims [${x.dims.join(', ')}]`);
  }
  const data = x.data.map((value, i) => {
    const diagonal = (i % columns) - (Math.floor(i / columns) % rows);
    return (upper ? diagonal >= shift : diagonal <= shift) ? value : 0;
  });
  return [{ dims: x.dims, data, kind: x.kind } satisfies Value];
};

/** `off` everywhere but at the indices, which are `on`; an index outside the depth marks nothing. */
export const oneHot: Operator = (node, inputs) => {
  const indices = required(node, inputs, 0);
  const depth = scalarOf(node, required(node, inputs, 1));
  const values = required(node, inputs, 2);
  const rank = indices.dims.length + 1;
  const axis = axisOf(node, intAttribute(node, 'axis', -1), rank);
  const dims = indices.dims.toSpliced(axis, 0, depth);
  const inner = product(indices.dims.slice(axis));
  const data = new Float64Array(indices.data.length * depth).fill(values.data[0]!);
  indices.data.forEach((stated, i) => {
    const index = Math.trunc(stated);
    if (index < -depth || index >= depth) return;
    const place = index < 0 ? index + depth : index;
    data[(Math.floor(i / inner) * depth + place) * inner + (i % inner)] = values.data[1]!;
  });
  return [{ dims, data, kind: values.kind }];
};
