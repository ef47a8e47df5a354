import { floatAttribute } from '@unitscope/onnx';
import type { Rule } from '../rule.js';
import { pointwise, scalarLike } from './pointwise.js';

/** y = x > 0 ? x : alpha x: dx = dy (x > 0 ? 1 : alpha). */
export const leakyRelu = {
  gradient: pointwise('LeakyRelu', ({ context, emit, x, y, dy, scalar }) => {
    const alpha = floatAttribute(context.node, 'alpha', 0.01);
    // y has the sign of x unless alpha is negative.
    const positive = emit('Greater', [alpha < 0 ? x : y, scalar(0)]);
    return emit('Where', [positive, dy, emit('Mul', [dy, scalar(alpha)])]);
  }),
};

/** y = x > 0 ? x : slope x, slope broadcast to x: dx = dy (x > 0 ? 1 : slope), dslope = sum of dy min(x, 0). */
export const prelu = {
  gradient: {
    name: 'prelu.gradient',
    operator: 'PRelu',
    backward: (context) => {
      const { emit } = context;
      const dy = context.signal(0)!;
      const [x, slope] = context.node.inputs as [string, string];
      const zero = scalarLike(context, x, 0);
      const signals: (string | undefined)[] = [undefined, undefined];
      if (context.needs(0)) {
        signals[0] = emit('Where', [emit('Greater', [x, zero]), dy, emit('Mul', [dy, slope])]);
      }
      if (context.needs(1)) {
        const perElement = emit('Mul', [dy, emit('Min', [x, zero])]);
        signals[1] = context.reduceTo(perElement, context.dims(x), slope);
      }
      return signals;
    },
  } satisfies Rule,
};

/** y = x > alpha ? x : 0: dx = dy [x > alpha]. */
export const thresholdedRelu = {
  gradient: pointwise('ThresholdedRelu', ({ context, emit, x, dy, scalar }) => {
    const passed = emit('Greater', [x, scalar(floatAttribute(context.node, 'alpha', 1))]);
    return emit('Where', [passed, dy, scalar(0)]);
  }),
};
