import { stridesOf } from '@unitscope/tensor';
import { intAttribute, type Node } from '../graph.js';
import { arithmetic, around, product, sumOffsets } from './indexing.js';
import { axisOf, intsOf, nodeError, type Operator, required, scalarOf } from './operator.js';
import { ints, type Value } from './value.js';

interface Plan {
  /** The dims of the result. */
  readonly dims: readonly number[];
  /** The flat position in the result that each input element goes to. */
  readonly targets: Int32Array;
  /** The number of result elements, and of inputs that go into each. */
  readonly size: number;
  readonly count: number;
}

/** Axes are an attribute in older versions and input 1 in newer ones; none means all, or no reduction on request. */
function planOf(node: Node, x: Value, axesInput: Value | undefined): Plan | undefined {
  const rank = x.dims.length;
  const stated = intsOf(node, 'axes', axesInput);
  const none = stated === undefined || stated.length === 0;
  if (none && intAttribute(node, 'noop_with_empty_axes', 0) !== 0) return undefined;
  const axes = new Set(none ? x.dims.keys() : stated.map((axis) => axisOf(node, axis, rank)));
  const kept = x.dims.map((dim, axis) => (axes.has(axis) ? 1 : dim));
  const strides = stridesOf(kept);
  const targets = sumOffsets(x.dims.map((dim, axis) => arithmetic(dim, axes.has(axis) ? 0 : strides[axis]!)));
  const dims = intAttribute(node, 'keepdims', 1) !== 0 ? kept : kept.filter((_, axis) => !axes.has(axis));
  const count = product(x.dims.filter((_, axis) => axes.has(axis)));
  return { dims, targets, size: product(kept), count };
}

function fold(
  x: Value,
  { targets, size }: Plan,
  start: number,
  step: (accumulated: number, value: number) => number,
): Float64Array {
  const y = new Float64Array(size).fill(start);
  for (let i = 0; i < targets.length; i++) {
    const target = targets[i]!;
    y[target] = step(y[target]!, x.data[i]!);
  }
  return y;
}

function reduction(
  start: number,
  step: (accumulated: number, value: number) => number,
  finish: (accumulated: number, count: number) => number = (accumulated) => accumulated,
): Operator {
  return (node, inputs) => {
    const x = required(node, inputs, 0);
    const plan = planOf(node, x, inputs[1]);
    if (plan === undefined) return [x];
    const data = fold(x, plan, start, step).map((accumulated) => {
      const result = finish(accumulated, plan.count);
      return x.kind === 'int' ? Math.trunc(result) : result;
    });
    return [{ dims: plan.dims, data, kind: x.kind }];
  };
}

const plus = (accumulated: number, value: number) => accumulated + value;
export const reduceSum = reduction(0, plus);
export const reduceMean = reduction(0, plus, (sum, count) => sum / count);
export const reduceMax = reduction(Number.NEGATIVE_INFINITY, (best, value) => Math.max(best, value));
export const reduceMin = reduction(Number.POSITIVE_INFINITY, (best, value) => Math.min(best, value));
export const reduceProd = reduction(1, (accumulated, value) => accumulated * value);
export const reduceL1 = reduction(0, (sum, value) => sum + Math.abs(value));
export const reduceL2 = reduction(0, (sum, value) => sum + value * value, Math.sqrt);
export const reduceSumSquare = reduction(0, (sum, value) => sum + value * value);
export const reduceLogSum = reduction(0, plus, Math.log);

/** log of the sum of exponentials, taken relative to the largest so that nothing overflows. */
export const reduceLogSumExp: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const plan = planOf(node, x, inputs[1]);
  if (plan === undefined) return [x];
  const largest = fold(x, plan, Number.NEGATIVE_INFINITY, (best, value) => Math.max(best, value));
  const sums = new Float64Array(plan.size);
  for (let i = 0; i < plan.targets.length; i++) {
    const target = plan.targets[i]!;
    sums[target] = sums[target]! + Math.exp(x.data[i]! - largest[target]!);
  }
  // An infinite largest value is the result itself; infinity minus infinity above made the sum NaN.
  const data = sums.map((sum, i) =>
    Number.isFinite(largest[i]!) ? largest[i]! + Math.log(sum) : largest[i]!,
  );
  return [{ dims: plan.dims, data, kind: x.kind }];
};

/** The index of the extreme along an axis; of equal ones the first, or the last on request. */
function extremeIndex(better: (value: number, best: number) => boolean): Operator {
  return (node, inputs) => {
    const x = required(node, inputs, 0);
    const axis = axisOf(node, intAttribute(node, 'axis', 0), x.dims.length);
    const last = intAttribute(node, 'select_last_index', 0) !== 0;
    const { outer, length, inner } = around(x.dims, axis);
    const y = new Float64Array(outer * inner);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let index = 0;
        for (let j = 1; j < length; j++) {
          const value = x.data[(o * length + j) * inner + i]!;
          const best = x.data[(o * length + index) * inner + i]!;
          if (better(value, best) || (last && value === best)) index = j;
        }
        y[o * inner + i] = index;
      }
    }
    const keep = intAttribute(node, 'keepdims', 1) !== 0;
    const dims = keep ? x.dims.map((dim, a) => (a === axis ? 1 : dim)) : x.dims.toSpliced(axis, 1);
    return [ints(dims, y)];
  };
}

export const argMax = extremeIndex((value, best) => value > best);
export const argMin = extremeIndex((value, best) => value < best);

/** Running sums along an axis, with or without the element itself, from either end. */
export const cumSum: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const axis = axisOf(node, scalarOf(node, required(node, inputs, 1)), x.dims.length);
  const exclusive = intAttribute(node, 'exclusive', 0) !== 0;
  const reverse = intAttribute(node, 'reverse', 0) !== 0;
  const { outer, length, inner } = around(x.dims, axis);
  const y = new Float64Array(x.data.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let sum = 0;
      for (let j = 0; j < length; j++) {
        const at = (o * length + (reverse ? length - 1 - j : j)) * inner + i;
        const after = sum + x.data[at]!;
        y[at] = exclusive ? sum : after;
        sum = after;
      }
    }
  }
  return [{ dims: x.dims, data: y, kind: x.kind }];
};

/** The k largest (or smallest) along an axis in order, and their indices; of equal ones the first comes first. */
export const topK: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const k = inputs[1] === undefined ? intAttribute(node, 'k') : scalarOf(node, inputs[1]);
  const axis = axisOf(node, intAttribute(node, 'axis', -1), x.dims.length);
  const sign = intAttribute(node, 'largest', 1) !== 0 ? -1 : 1;
  const { outer, length, inner } = around(x.dims, axis);
  if (k === undefined || k < 0 || k > length) {
    throw nodeError('bad-input', node, `k = ${k} of an axis of size ${length}`);
  }
  const values = new Float64Array(outer * k * inner);
  const indices = new Float64Array(values.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (j: number) => x.data[(o * length + j) * inner + i]!;
      const order = Array.from({ length }, (_, j) => j);
      order.sort((a, b) => sign * (at(a) - at(b)) || a - b);
      for (let j = 0; j < k; j++) {
        values[(o * k + j) * inner + i] = at(order[j]!);
        indices[(o * k + j) * inner + i] = order[j]!;
      }
    }
  }
  const dims = x.dims.with(axis, k);
  return [{ dims, data: values, kind: x.kind }, ints(dims, indices)];
};
