import { pointwise } from './pointwise.js';
import { oneMinus } from './sigmoid.js';

/** y = ln(1 + e^x): dx = dy / (1 + e^-x). */
export const softplus = {
  gradient: pointwise('Softplus', ({ emit, x, dy }) => emit('Mul', [dy, emit('Sigmoid', [x])])),
};

/** y = x / (1 + |x|): dx = dy / (1 + |x|)^2. */
export const softsign = {
  gradient: pointwise('Softsign', ({ emit, x, dy, scalar }) => {
    const width = emit('Add', [emit('Abs', [x]), scalar(1)]);
    return emit('Div', [dy, emit('Mul', [width, width])]);
  }),
};

/** y = x t, t = tanh(ln(1 + e^x)): dx = dy (t + x (1 - t^2) / (1 + e^-x)) (Misra, arXiv 1908.08681). */
export const mish = {
  gradient: pointwise('Mish', (at) => {
    const { emit, x, dy } = at;
    const t = emit('Tanh', [emit('Softplus', [x])]);
    const slope = emit('Mul', [oneMinus(at, emit('Mul', [t, t])), emit('Sigmoid', [x])]);
    return emit('Mul', [dy, emit('Add', [t, emit('Mul', [x, slope])])]);
  }),
};
