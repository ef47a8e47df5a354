import { stringAttribute } from '@unitscope/onnx';
import { type Pointwise, pointwise } from './pointwise.js';
import { oneMinus } from './sigmoid.js';

/** dy (Phi(x) + x phi(x)), Phi and phi of the standard normal distribution. */
function exact({ emit, x, dy, scalar }: Pointwise): string {
  const half = emit('Mul', [x, scalar(Math.SQRT1_2)]);
  const cumulative = emit('Mul', [emit('Add', [emit('Erf', [half]), scalar(1)]), scalar(0.5)]);
  const bell = emit('Exp', [emit('Neg', [emit('Mul', [half, half])])]);
  const density = emit('Mul', [bell, scalar(1 / Math.sqrt(2 * Math.PI))]);
  return emit('Mul', [dy, emit('Add', [cumulative, emit('Mul', [x, density])])]);
}

/** With u = k (x + c x^3), t = tanh u and y = x (1 + t) / 2: dy ((1 + t) / 2 + x / 2 (1 - t^2) k (1 + 3 c x^2)). */
function byTanh(at: Pointwise): string {
  const { emit, x, dy, scalar } = at;
  const k = Math.sqrt(2 / Math.PI);
  const c = 0.044715;
  const square = emit('Mul', [x, x]);
  const u = emit('Mul', [x, emit('Add', [emit('Mul', [square, scalar(k * c)]), scalar(k)])]);
  const t = emit('Tanh', [u]);
  const gate = emit('Mul', [emit('Add', [t, scalar(1)]), scalar(0.5)]);
  const slope = emit('Add', [emit('Mul', [square, scalar(1.5 * k * c)]), scalar(0.5 * k)]);
  const rise = emit('Mul', [emit('Mul', [x, slope]), oneMinus(at, emit('Mul', [t, t]))]);
  return emit('Mul', [dy, emit('Add', [gate, rise])]);
}

/** y = x Phi(x), or its approximation by tanh where the attribute `approximate` says so (arXiv 1606.08415). */
export const gelu = {
  gradient: pointwise('Gelu', (at) =>
    stringAttribute(at.context.node, 'approximate', 'none') === 'tanh' ? byTanh(at) : exact(at),
  ),
};
