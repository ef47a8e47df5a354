import { floatAttribute } from '@unitscope/onnx';
import { type Pointwise, pointwise } from './pointwise.js';

/** dy (x > 0 ? gamma : y + scale): for x <= 0, y = scale (e^(x / width) - 1), whose derivative is that at width 1. */
function exponentialBranch({ emit, x, y, dy, scalar }: Pointwise, gamma: number, scale: number): string {
  // y has the sign of x if both factors are positive.
  const positive = emit('Greater', [gamma > 0 && scale >= 0 ? y : x, scalar(0)]);
  return emit('Mul', [dy, emit('Where', [positive, scalar(gamma), emit('Add', [y, scalar(scale)])])]);
}

/** y = x > 0 ? x : alpha (e^x - 1): dx = dy (x > 0 ? 1 : y + alpha). */
export const elu = {
  gradient: pointwise('Elu', (at) => exponentialBranch(at, 1, floatAttribute(at.context.node, 'alpha', 1))),
};

/** y = gamma (x > 0 ? x : alpha (e^x - 1)): dx = dy (x > 0 ? gamma : y + gamma alpha). */
export const selu = {
  gradient: pointwise('Selu', (at) => {
    const gamma = floatAttribute(at.context.node, 'gamma', 1.0507009873554805);
    return exponentialBranch(at, gamma, gamma * floatAttribute(at.context.node, 'alpha', 1.6732632423543772));
  }),
};

/** y = max(x, 0) + min(alpha (e^(x / alpha) - 1), 0): dx = dy (min(y, 0) / alpha + 1). */
export const celu = {
  gradient: pointwise('Celu', ({ context, emit, y, dy, scalar }) => {
    const alpha = floatAttribute(context.node, 'alpha', 1);
    const slope = emit('Div', [emit('Min', [y, scalar(0)]), scalar(alpha)]);
    return emit('Mul', [dy, emit('Add', [slope, scalar(1)])]);
  }),
};
