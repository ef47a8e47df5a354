import { pointwise } from './pointwise.js';
import { oneMinus } from './sigmoid.js';

/** y = tanh x: dx = dy (1 - y^2). */
export const tanh = {
  gradient: pointwise('Tanh', (at) => at.emit('Mul', [at.dy, oneMinus(at, at.emit('Mul', [at.y, at.y]))])),
};
