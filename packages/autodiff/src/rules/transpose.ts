import { intsAttribute } from '@unitscope/onnx';
import { pointwise } from './pointwise.js';

/** Axis i of y is axis perm[i] of x (all axes in reverse by default): back by the inverse permutation. */
export const transpose = {
  gradient: pointwise('Transpose', ({ context, emit, x, dy }) => {
    const perm = intsAttribute(context.node, 'perm');
    if (perm === undefined) {
      const rank = context.dims(x).length;
      return emit('Transpose', [dy], { perm: Array.from({ length: rank }, (_, axis) => rank - 1 - axis) });
    }
    return emit('Transpose', [dy], { perm: perm.map((_, axis) => perm.indexOf(axis)) });
  }),
};
