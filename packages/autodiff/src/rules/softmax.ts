import { axisAttribute } from './axes.js';
import { type Pointwise, pointwise } from './pointwise.js';

/** Sum along the attribute `axis`, kept as an axis of size 1. */
function sumAlong({ context, emit, y }: Pointwise, value: string): string {
  const axis = axisAttribute(context, -1, context.dims(y).length);
  return emit('ReduceSum', [value, context.builder.ints([axis])], { keepdims: 1 });
}

/** y = e^x / sum e^x: dx = y (dy - sum dy y). */
export const softmax = {
  gradient: pointwise('Softmax', (at) => {
    const { emit, y, dy } = at;
    const mean = sumAlong(at, emit('Mul', [dy, y]));
    return emit('Mul', [y, emit('Sub', [dy, mean])]);
  }),
};

/** y = x - ln sum e^x: dx = dy - e^y sum dy. */
export const logSoftmax = {
  gradient: pointwise('LogSoftmax', (at) => {
    const { emit, y, dy } = at;
    return emit('Sub', [dy, emit('Mul', [emit('Exp', [y]), sumAlong(at, dy)])]);
  }),
};
