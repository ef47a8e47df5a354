import type { Dim } from '@unitscope/onnx';
import type { RuleContext } from '../rule.js';
import { axesInput, reshapeTo } from './axes.js';
import { pointwise } from './pointwise.js';

/** Also Flatten: the elements stay in order, only the dims change back. */
export const reshape = { gradient: pointwise('Reshape', backToInput) };
export const flatten = { gradient: pointwise('Flatten', backToInput) };

function backToInput({ context, x, dy }: { context: RuleContext; x: string; dy: string }): string {
  return reshapeTo(context, dy, context.dims(x), x);
}

export const squeeze = {
  gradient: pointwise('Squeeze', ({ context, x, dy }) => {
    const dims = context.dims(x);
    const axes = axesInput(context, 1, dims.length) ?? axesOfSizeOne(dims);
    return axes.length === 0 ? dy : context.emit('Unsqueeze', [dy, context.builder.ints(axes)]);
  }),
};

export const unsqueeze = {
  gradient: pointwise('Unsqueeze', ({ context, y, dy }) => {
    const axes = axesInput(context, 1, context.dims(y).length) ?? [];
    return context.emit('Squeeze', [dy, context.builder.ints(axes)]);
  }),
};

function axesOfSizeOne(dims: readonly Dim[]): number[] {
  return dims.flatMap((size, axis) => (size === 1 ? [axis] : []));
}

/** y = x repeated to a larger shape: dx = sums over the repetitions. */
export const expand = {
  gradient: pointwise('Expand', ({ context, x, y, dy }) => context.reduceTo(dy, context.dims(y), x)),
};
