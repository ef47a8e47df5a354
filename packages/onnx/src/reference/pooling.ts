import { intAttribute, intsAttribute, type Node } from '../graph.js';
import { planesOf } from './convolution.js';
import { product } from './indexing.js';
import { nodeError, type Operator, required } from './operator.js';
import { floats, ints } from './value.js';
import { type WindowAxis, windowAttributes, windowAxes, windowOffsets } from './windows.js';

function kernelOf(node: Node): readonly number[] {
  const kernel = intsAttribute(node, 'kernel_shape');
  if (kernel === undefined) throw nodeError('bad-input', node, 'the attribute kernel_shape is missing');
  return kernel;
}

/**
 * The largest value of each window, and the flat index of it in the whole input. The first of equal values in
 * row-major order wins; padding never does. NaN stays where it is the first of its window and is passed over elsewhere,
 * as in ONNX Runtime when it gives indices (without them it depends on the order of its vector instructions).
 */
export const maxPool: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const { batch, channels, spatial } = planesOf(node, x);
  if (intAttribute(node, 'storage_order', 0) !== 0 && node.outputs.length > 1) {
    throw nodeError('unsupported', node, 'storage_order 1; indices are given in row-major order only');
  }
  const axes = windowAxes(node, spatial, kernelOf(node));
  const offsets = windowOffsets(axes);
  const positions = product(axes.map((axis) => axis.output));
  const taps = offsets.length / positions;
  const plane = product(spatial);
  const dims = [batch, channels, ...axes.map((axis) => axis.output)];
  const y = new Float64Array(product(dims));
  const indices = new Float64Array(y.length);
  for (let i = 0; i < y.length; i++) {
    const from = Math.floor(i / positions) * plane;
    const first = (i % positions) * taps;
    let best = Number.NEGATIVE_INFINITY;
    let where = -1;
    for (let t = 0; t < taps; t++) {
      const offset = offsets[first + t]!;
      if (offset < 0) continue;
      const value = x.data[from + offset]!;
      if (value > best || where < 0) {
        best = value;
        where = from + offset;
      }
    }
    y[i] = best;
    indices[i] = where;
  }
  return [{ dims, data: y, kind: x.kind }, ints(dims, indices)];
};

/** The mean of each window: over the values in it, or over its places inside the padded input. */
export const averagePool: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const { batch, channels, spatial } = planesOf(node, x);
  const includePadding = intAttribute(node, 'count_include_pad', 0) !== 0;
  const axes = windowAxes(node, spatial, kernelOf(node));
  const offsets = windowOffsets(axes);
  const positions = product(axes.map((axis) => axis.output));
  const taps = offsets.length / positions;
  const plane = product(spatial);
  const padded = includePadding ? paddedCounts(axes) : undefined;
  const dims = [batch, channels, ...axes.map((axis) => axis.output)];
  const y = new Float64Array(product(dims));
  for (let i = 0; i < y.length; i++) {
    const from = Math.floor(i / positions) * plane;
    const position = i % positions;
    let sum = 0;
    let count = 0;
    for (let t = 0; t < taps; t++) {
      const offset = offsets[position * taps + t]!;
      if (offset < 0) continue;
      sum += x.data[from + offset]!;
      count++;
    }
    y[i] = sum / (padded === undefined ? count : padded[position]!);
  }
  return [floats(dims, y)];
};

/** Per output position the number of taps inside the input and its padding: ceil_mode windows may reach beyond. */
function paddedCounts(axes: readonly WindowAxis[]): Float64Array {
  let counts = Float64Array.of(1);
  for (const axis of axes) {
    const along = Float64Array.from({ length: axis.output }, (_, o) => {
      let inside = 0;
      for (let t = 0; t < axis.kernel; t++) {
        if (o * axis.stride + t * axis.dilation < axis.head + axis.input + axis.tail) inside++;
      }
      return inside;
    });
    counts = Float64Array.from({ length: counts.length * along.length }, (_, i) => {
      return counts[Math.floor(i / along.length)]! * along[i % along.length]!;
    });
  }
  return counts;
}

/** One number per channel from all its positions. */
function globalPool(
  step: (accumulated: number, value: number) => number,
  start: number,
  divide: boolean,
): Operator {
  return (node, inputs) => {
    const x = required(node, inputs, 0);
    const { batch, channels, spatial } = planesOf(node, x);
    const plane = product(spatial);
    const y = new Float64Array(batch * channels);
    for (let i = 0; i < y.length; i++) {
      let accumulated = start;
      for (let j = 0; j < plane; j++) accumulated = step(accumulated, x.data[i * plane + j]!);
      y[i] = divide ? accumulated / plane : accumulated;
    }
    return [floats([batch, channels, ...spatial.map(() => 1)], y)];
  };
}

export const globalAveragePool = globalPool((sum, value) => sum + value, 0, true);
export const globalMaxPool = globalPool(
  (best, value) => Math.max(best, value),
  Number.NEGATIVE_INFINITY,
  false,
);

/** Puts each value where its index says, in a zero tensor; of two values for one place the later stays. */
export const maxUnpool: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const indices = required(node, inputs, 1);
  const { batch, channels, spatial } = planesOf(node, x);
  const kernel = kernelOf(node);
  const { strides, pads } = windowAttributes(node, spatial.length);
  const inferred = spatial.map(
    (size, axis) => (size - 1) * strides[axis]! + kernel[axis]! - pads[axis]! - pads[axis + spatial.length]!,
  );
  const dims = inputs[2] === undefined ? [batch, channels, ...inferred] : Array.from(inputs[2].data);
  if (indices.data.length !== x.data.length) {
    throw nodeError('bad-input', node, `${indices.data.length} indices for ${x.data.length} values`);
  }
  const y = new Float64Array(product(dims));
  for (let i = 0; i < x.data.length; i++) {
    const where = indices.data[i]!;
    if (!(where >= 0 && where < y.length)) {
      throw nodeError('bad-input', node, `index ${where} is outside the output [${dims.join(', ')}]`);
    }
    y[where] = x.data[i]!;
  }
  return [floats(dims, y)];
};
