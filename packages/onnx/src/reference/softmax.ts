import { intAttribute } from '../graph.js';
import { around } from './indexing.js';
import { axisOf, type Operator, required } from './operator.js';
import { floats } from './value.js';

/**
 * exp(x) / sum exp(x), or its logarithm. Up to version 12 the sum runs over the axis and all that follow (axis 1 by
 * default), from version 13 over the axis alone (the last by default).
 */
function normalizedExponential(logarithm: boolean): Operator {
  return (node, inputs, { opset }) => {
    const x = required(node, inputs, 0);
    const rank = x.dims.length;
    const single = opset >= 13;
    const stated = intAttribute(node, 'axis', single ? -1 : 1);
    const axis = !single && stated === rank ? rank : axisOf(node, stated, rank);
    const whole = { ...around([...x.dims, 1], axis) };
    const { outer, length, inner } = single
      ? whole
      : { outer: whole.outer, length: whole.length * whole.inner, inner: 1 };
    const y = new Float64Array(x.data.length);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const start = o * length * inner + i;
        let largest = Number.NEGATIVE_INFINITY;
        for (let j = 0; j < length; j++) largest = Math.max(largest, x.data[start + j * inner]!);
        let sum = 0;
        for (let j = 0; j < length; j++) sum += Math.exp(x.data[start + j * inner]! - largest);
        for (let j = 0; j < length; j++) {
          const at = start + j * inner;
          const shifted = x.data[at]! - largest;
          y[at] = logarithm ? shifted - Math.log(sum) : Math.exp(shifted) / sum;
        }
      }
    }
    return [floats(x.dims, y)];
  };
}

export const softmax = normalizedExponential(false);
export const logSoftmax = normalizedExponential(true);
