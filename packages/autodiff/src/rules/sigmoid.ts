import { floatAttribute } from '@unitscope/onnx';
import { type Pointwise, pointwise } from './pointwise.js';

/**
 * 1 - value for values in [0, 1], by one operator that ONNX Runtime keeps in its blocked layout, which Sub leaves.
 */
export function oneMinus({ emit }: Pick<Pointwise, 'emit'>, value: string): string {
  return emit('HardSigmoid', [value], { alpha: { float: -1 }, beta: { float: 1 } });
}

/** y = 1 / (1 + e^-x): dx = dy y (1 - y). */
export const sigmoid = {
  gradient: pointwise('Sigmoid', (at) => at.emit('Mul', [at.dy, at.emit('Mul', [at.y, oneMinus(at, at.y)])])),
};

/** y = min(max(alpha x + beta, 0), 1): dx = dy alpha [0 < y < 1]. */
export const hardSigmoid = {
  gradient: pointwise('HardSigmoid', ({ context, emit, y, dy, scalar }) => {
    const alpha = floatAttribute(context.node, 'alpha', 0.2);
    const inside = emit('And', [emit('Greater', [y, scalar(0)]), emit('Less', [y, scalar(1)])]);
    return emit('Mul', [dy, emit('Where', [inside, scalar(alpha), scalar(0)])]);
  }),
};

/** y = x min(max(x / 6 + 1/2, 0), 1): dx = dy times 0 for x <= -3, 1 for x >= 3, (2x + 3) / 6 between. */
export const hardSwish = {
  gradient: pointwise('HardSwish', ({ emit, x, dy, scalar }) => {
    const gate = emit('HardSigmoid', [x], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } });
    const inside = emit('Less', [emit('Abs', [x]), scalar(3)]);
    const rise = emit('Where', [inside, emit('Mul', [x, scalar(1 / 6)]), scalar(0)]);
    return emit('Mul', [dy, emit('Add', [gate, rise])]);
  }),
};
